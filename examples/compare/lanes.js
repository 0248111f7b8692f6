// Owns the lanes' clients and their rows: which client carries a lane, and where its numbers stand.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  var BIG = ['median', 'bytesPerEvent', 'requestsPerSecond', 'cpu'];
  var SMALL = ['p95', 'waiting', 'gaps', 'repeats'];

  function Lane(kind, place) {
    this.kind = kind;
    this.port = 0;
    this.stats = new Compare.Stats();
    this.transport = '';
    this.tape = null;
    this.row = build(kind);
    this.timeline = new Compare.Timeline(this.row.querySelector('.timeline'));
    this.histogram = this.row.querySelector('.histogram');
    place.appendChild(this.row);
  }

  // Starts the lane's client at its relay.
  Lane.prototype.start = function (port, clock, settings) {
    var lane = this;
    var url = 'http://' + location.hostname + ':' + port + '/live';
    this.port = port;
    function got(message) {
      var words = message.split(' ', 2);
      var came = clock();
      lane.stats.take(parseInt(words[0], 10), parseFloat(words[1]), came);
      lane.timeline.deliver(parseFloat(words[1]), came);
    }
    var driver = Compare.drivers[this.kind];
    if (driver) {
      return driver(url, got, settings);
    }
    // WebSocket is shown as it is meant to be used: long polling carries the session while it is broken.
    var transports = this.kind === 'websocket' ? ['websocket', 'poll'] : ['poll'];
    var socket = new Anywire(url, [], { transports: transports, withCredentials: false });
    socket.onmessage = function (event) { got(event.data); };
    socket.ontransport = function () { lane.transport = socket.transport; };
  };

  // A reading of the relay came.
  Lane.prototype.read = function (at, message, published) {
    this.stats.read(at, message.reading, published);
    this.timeline.note(message.activity);
    this.tape = message.tape || this.tape;
  };

  // Writes the numbers into the row.
  Lane.prototype.show = function () {
    var summary = this.stats.summary();
    var row = this.row;
    BIG.concat(SMALL).forEach(function (name) {
      row.querySelector('[data-number="' + name + '"]').textContent = format(summary[name]);
    });
    row.setAttribute('data-sound', summary.gaps + summary.repeats === 0);
    var badge = row.querySelector('.badge');
    if (badge) {
      badge.setAttribute('data-transport', this.transport);
      badge.textContent = text({ websocket: 'via', poll: 'viaPoll' }[this.transport] || 'viaNone');
    }
    drawHistogram(this.histogram, summary.bins, getComputedStyle(row).color);
    return summary;
  };

  // Three digits say enough.
  function format(number) {
    if (number === null || number === undefined) {
      return '–';
    }
    if (number % 1 === 0 || number >= 100) {
      return Math.round(number).toLocaleString('en');
    }
    return number.toFixed(number < 10 ? 1 : 0);
  }

  function element(tag, className, inner) {
    var node = document.createElement(tag);
    node.className = className;
    node.innerHTML = inner || '';
    return node;
  }

  // A row holds nothing that comes from elsewhere, so its markup is safe.
  function build(kind) {
    function number(name, size) {
      return '<div class="number ' + size + '"><dd data-number="' + name + '">–</dd>' +
        '<dt data-word="' + name + '"></dt>' + '</div>';
    }
    var badge = kind === 'websocket' ? '<span class="badge" data-transport=""></span>' : '';
    var row = element('li', 'lane lane-' + kind,
      '<div class="about"><h3><span data-word="' + kind + '"></span>' + badge + '</h3>' +
      '<p class="how" data-word="' + kind + '-how"></p></div>' +
      '<div class="picture"><canvas class="timeline" role="img" data-label="timeline"></canvas></div>' +
      '<dl class="numbers">' +
      BIG.map(function (name) { return number(name, 'big'); }).join('') +
      '<div class="number spread"><canvas class="histogram" role="img" data-label="histogram"></canvas></div>' +
      SMALL.map(function (name) { return number(name, 'small'); }).join('') + '</dl>');
    Compare.words.fill(row);
    return row;
  }

  function drawHistogram(canvas, bins, colour) {
    var context = Compare.fit(canvas);
    var most = Math.max.apply(null, bins) || 1;
    var step = context.width / bins.length;
    context.pen.fillStyle = colour;
    bins.forEach(function (count, place) {
      var height = count ? Math.max(2, count / most * (context.height - 2)) : 1;
      context.pen.globalAlpha = count ? 1 : 0.25;
      context.pen.fillRect(place * step, context.height - height, Math.max(1, step - 1.5), height);
    });
  }

  Compare.Lane = Lane;
})(window.Compare);
