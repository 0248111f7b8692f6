// Draws the last minute of all lanes, by uPlot. A browser too old for it does not load it, and sees the lanes alone.
(function (Compare) {
  'use strict';

  var KEPT = 61;
  var HEIGHT = 330;
  var WHAT = { chartLatency: 'median', chartBytes: 'bytesPerEvent', chartCpu: 'cpu' };

  function Chart(place, kinds) {
    this.place = place;
    this.kinds = kinds;
    this.what = 'chartLatency';
    this.rows = [];
  }

  // Gets uPlot, which is written in ECMAScript 2018, and tells whether this browser can run it.
  Chart.prototype.load = function (done) {
    var chart = this;
    if (!isModern()) {
      return done(false);
    }
    var script = document.createElement('script');
    script.src = 'uplot.js';
    script.onload = function () {
      chart.build();
      done(true);
    };
    script.onerror = function () { done(false); };
    document.body.appendChild(script);
  };

  function isModern() {
    try {
      return Function('var { a, ...b } = { a: 2, c: 3 }; return a ** b.c;')() === 8;
    } catch (tooOld) {
      return false;
    }
  }

  // One more second: the lanes' summaries, in their order.
  Chart.prototype.add = function (at, summaries) {
    this.rows.push({ at: at / 1000, summaries: summaries });
    if (this.rows.length > KEPT) {
      this.rows.shift();
    }
    if (this.plot) {
      this.plot.setData(this.data());
    }
  };

  // Shows this number, one of `WHAT`.
  Chart.prototype.show = function (what) {
    this.what = what;
    this.build();
  };

  Chart.prototype.data = function () {
    var rows = this.rows, name = WHAT[this.what];
    return [rows.map(function (row) { return row.at; })].concat(this.kinds.map(function (kind, place) {
      return rows.map(function (row) {
        var value = row.summaries[place][name];
        // A logarithm knows no zero.
        return value === null ? null : Math.max(value, 0.1);
      });
    }));
  };

  // Builds it anew: for another number, language, width or theme.
  Chart.prototype.build = function () {
    if (!window.uPlot || !this.place.clientWidth) {
      return;
    }
    if (this.plot) {
      this.plot.destroy();
    }
    var style = getComputedStyle(document.documentElement);
    var soft = style.getPropertyValue('--soft').trim(), line = style.getPropertyValue('--line').trim();
    var axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '13px system-ui, sans-serif' };
    function numbers(plot, splits) {
      return splits.map(function (value) {
        // Of each decade the lines for 1, 2 and 5.
        return value !== null && /^(0\.)?[125]0*$/.test(String(value)) ? value.toLocaleString('en') : '';
      });
    }
    this.plot = new uPlot({
      width: this.place.clientWidth,
      height: HEIGHT,
      cursor: { points: { show: false }, drag: { setScale: false } },
      legend: { show: false },
      scales: { x: { time: true }, y: { distr: 3 } },
      axes: [
        Compare.merge(axis, { values: '{HH}:{mm}:{ss}', space: 90 }),
        Compare.merge(axis, { values: numbers, size: 58 })
      ],
      series: [{}].concat(this.kinds.map(function (kind) {
        return {
          label: kind,
          stroke: style.getPropertyValue('--' + kind).trim(),
          width: kind === 'websocket' ? 3 : 2,
          points: { show: false }
        };
      }))
    }, this.data(), this.place);
  };

  Compare.merge = function (one, other) {
    var merged = {};
    [one, other].forEach(function (from) {
      Object.keys(from).forEach(function (name) { merged[name] = from[name]; });
    });
    return merged;
  };

  Compare.Chart = Chart;
})(window.Compare);
