// Owns a lane's numbers: what came, how late, and what the relay read meanwhile.
(function (Compare) {
  'use strict';

  var WINDOW_MS = 10000;
  var BINS = 26;
  var MOST_MS = 5000;

  function Stats() {
    this.last = 0;
    this.isSettled = false;
    this.reset();
  }

  // Forgets all but which event came last: a gap or a repeat across a reset still counts.
  Stats.prototype.reset = function () {
    this.received = this.gaps = this.repeats = 0;
    this.deliveries = [];
    this.readings = [];
  };

  // An event came: its number, when it was made and when it came, in ms of the server's clock; NaN while that is unknown.
  Stats.prototype.take = function (number, made, came) {
    if (number <= this.last) {
      this.repeats += 1;
      return;
    }
    if (this.last) {
      this.gaps += number - this.last - 1;
    }
    this.last = number;
    this.received += 1;
    if (came >= 0) {
      this.deliveries.push({ made: made, came: came, ms: Math.max(0, came - made) });
    }
  };

  // The relay was read.
  Stats.prototype.read = function (at, reading, published) {
    this.readings.push({ at: at, reading: reading, received: this.received });
    this.waiting = Math.max(0, published - this.last);
    while (this.readings.length > 2 && this.readings[0].at < at - WINDOW_MS) {
      this.readings.shift();
    }
    while (this.deliveries.length && this.deliveries[0].came < at - WINDOW_MS) {
      this.deliveries.shift();
    }
  };

  // What passed so far was the connecting, and is left out of the rates.
  Stats.prototype.settle = function () {
    this.isSettled = true;
    this.readings = [];
  };

  // From when on the rates are; before everything while there is connecting in them, or nothing.
  Stats.prototype.since = function () {
    return this.isSettled && this.readings.length ? this.readings[0].at : -Infinity;
  };

  // What people are shown; null is what cannot be said yet.
  Stats.prototype.summary = function () {
    var sorted = this.deliveries.map(function (delivery) { return delivery.ms; });
    sorted.sort(function (a, b) { return a - b; });
    var first = this.readings[0];
    var last = this.readings[this.readings.length - 1];
    var has = first && last.at > first.at;
    function change(name) {
      return last.reading[name] - first.reading[name];
    }
    function per(sum, count) {
      return has && count > 0 ? sum() / count : null;
    }
    return {
      median: quantile(sorted, 0.5),
      p95: quantile(sorted, 0.95),
      bins: bins(sorted),
      bytesPerEvent: per(function () { return change('bytesUp') + change('bytesDown'); },
        has && last.received - first.received),
      requestsPerSecond: has ? change('requests') / (last.at - first.at) * 1000 : null,
      cpu: per(function () { return change('cpuNs') / 1000; }, has && change('deliveries')),
      waiting: this.waiting || 0,
      gaps: this.gaps,
      repeats: this.repeats,
      received: this.received
    };
  };

  function quantile(sorted, share) {
    return sorted.length ? sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] : null;
  }

  // How many are how late, from 1 ms to 5 s in steps of the same ratio.
  function bins(sorted) {
    var counts = [];
    for (var i = 0; i < BINS; i++) {
      counts.push(0);
    }
    sorted.forEach(function (ms) {
      var place = Math.floor(Math.log(Math.max(1, ms)) / Math.log(MOST_MS) * BINS);
      counts[Math.min(BINS - 1, place)] += 1;
    });
    return counts;
  }

  Compare.Stats = Stats;
})(window.Compare);
