// What a visitor takes along: the numbers as CSV, and a picture of what is seen.
(function (Compare) {
  'use strict';

  // In CSS pixels; the picture has twice as many.
  var WIDTH = 1400, ROW = 118, HEAD = 92, PAD = 24, PICTURE_WIDTH = 520, SCALE = 2;
  var FONT = ' system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", sans-serif';

  // Whether this engine can give a page's bytes to its visitor.
  Compare.canExport = function () {
    return !!(window.Blob && window.URL && URL.createObjectURL && 'download' in document.createElement('a') &&
      document.createElement('canvas').toBlob);
  };

  // The rows as CSV, each with the settings; what cannot be said is empty.
  Compare.csv = function (rows, settings) {
    var names = rows.length ? ['lane'].concat(Object.keys(rows[0]).filter(function (name) { return name !== 'lane'; })) : [];
    var set = Object.keys(settings);
    function cell(value) {
      return value === null || value === undefined ? '' : typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : String(value);
    }
    // Lanes that did not do all still have all columns.
    rows.forEach(function (row) {
      Object.keys(row).forEach(function (name) {
        if (names.indexOf(name) < 0) {
          names.push(name);
        }
      });
    });
    return [names.concat(set)].concat(rows.map(function (row) {
      return names.map(function (name) { return cell(row[name]); })
        .concat(set.map(function (name) { return cell(settings[name]); }));
    })).map(function (cells) { return cells.join(','); }).join('\r\n') + '\r\n';
  };

  // The rows of the page as a picture, with the title and the settings above.
  Compare.picture = function (title, subtitle, rows) {
    var canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
    var style = getComputedStyle(document.documentElement);
    function colour(name) {
      return style.getPropertyValue('--' + name).trim() || '#1d2025';
    }
    function write(text, x, y, size, weight, ink) {
      pen.font = weight + ' ' + size + 'px' + FONT;
      pen.fillStyle = ink;
      pen.fillText(text, x, y);
    }
    canvas.width = WIDTH * SCALE;
    canvas.height = (HEAD + rows.length * ROW + PAD) * SCALE;
    pen.scale(SCALE, SCALE);
    pen.fillStyle = colour('page');
    pen.fillRect(0, 0, WIDTH, canvas.height);
    write(title, PAD, 40, 26, 700, colour('ink'));
    write(subtitle, PAD, 68, 15, 400, colour('soft'));
    rows.forEach(function (row, place) {
      var top = HEAD + place * ROW, ink = getComputedStyle(row).color, left = PAD + 240 + PICTURE_WIDTH + 30;
      pen.fillStyle = colour('surface');
      pen.fillRect(PAD, top, WIDTH - 2 * PAD, ROW - 10);
      pen.fillStyle = ink;
      pen.fillRect(PAD, top, 6, ROW - 10);
      write(row.querySelector('h3 span').textContent, PAD + 22, top + 42, 21, 700, ink);
      var timeline = row.querySelector('.timeline'), high = ROW - 34;
      var wide = Math.min(PICTURE_WIDTH, high * timeline.width / (timeline.height || 1));
      pen.drawImage(timeline, PAD + 240, top + 12, wide, high);
      var numbers = row.querySelectorAll('.big');
      var step = (WIDTH - PAD - 12 - left) / numbers.length;
      Compare.each(numbers, function (number, column) {
        write(number.querySelector('dd').textContent, left + column * step, top + 54, numbers.length > 4 ? 22 : 32, 750, ink);
        write(number.querySelector('dt').textContent, left + column * step, top + 80, numbers.length > 4 ? 11 : 13, 400, colour('soft'));
      });
    });
    return canvas;
  };

  // Gives a file to the visitor.
  Compare.save = function (name, blob) {
    var link = document.createElement('a'), url = URL.createObjectURL(blob);
    link.href = url;
    link.download = name;
    document.body.appendChild(link);
    link.click();
    document.body.removeChild(link);
    setTimeout(function () { URL.revokeObjectURL(url); }, 1000);
  };
})(window.Compare);
