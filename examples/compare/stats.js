// Owns a lane's numbers: what came, how late, and what the relay read meanwhile.
(function (Compare) {
  'use strict';

  // Questions are rarer than events.
  var WINDOW_MS = Compare.address.view === 'questions' ? 30000 : 10000;
  var LONGEST_START_MS = 2000;
  var BINS = 26;
  var MOST_MS = 5000;

  function Stats() {
    this.last = 0;
    // When each question was asked that has no answer yet, by its number.
    this.asked = {};
    this.waiting = 0;
    this.isSettled = false;
    this.reset();
  }

  // Forgets all but which event came last and what is asked: a gap or a repeat across a reset still counts.
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

  // A question was asked at this time of the server's clock; NaN while that is unknown.
  Stats.prototype.ask = function (number, asked) {
    this.asked[number] = asked;
    this.waiting += 1;
  };

  // Its answer came. Returns when it was asked; nothing for an answer that had come before.
  Stats.prototype.answer = function (number, came) {
    var asked = this.asked[number];
    if (asked === undefined) {
      this.repeats += 1;
      return undefined;
    }
    this.forget(number);
    this.received += 1;
    if (asked >= 0) {
      this.deliveries.push({ made: asked, came: came, ms: came - asked });
    }
    return asked;
  };

  // No answer to it will come.
  Stats.prototype.lose = function (number) {
    this.forget(number);
    this.gaps += 1;
  };

  Stats.prototype.forget = function (number) {
    delete this.asked[number];
    this.waiting -= 1;
  };

  // The relay was read; `published` is the number of the last event, if there are any.
  Stats.prototype.read = function (at, reading, published) {
    // A question that is under way belongs to what was before, if it does not take too long.
    this.restartedAt = this.restartedAt || at;
    if (this.readings.length || this.waiting === 0 || published || at - this.restartedAt > LONGEST_START_MS) {
      this.readings.push({ at: at, reading: reading, received: this.received });
    }
    if (published) {
      this.waiting = Math.max(0, published - this.last);
    }
    while (this.readings.length > 2 && this.readings[0].at < at - WINDOW_MS) {
      this.readings.shift();
    }
    while (this.deliveries.length && this.deliveries[0].came < at - WINDOW_MS) {
      this.deliveries.shift();
    }
  };

  // What came so far was under other settings, or beside something else.
  Stats.prototype.restart = function () {
    this.readings = [];
    this.deliveries = [];
    this.restartedAt = 0;
  };

  // What passed so far was the connecting, and is left out of the rates.
  Stats.prototype.settle = function () {
    this.isSettled = true;
    this.readings = [];
    this.restartedAt = 0;
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
    // Answers are counted where the relay is read, so that both are of the same moment.
    var count = has && (Compare.address.view === 'questions' ? change('deliveries') : last.received - first.received);
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
      bytesPerEvent: per(function () { return change('bytesUp') + change('bytesDown'); }, count),
      requestsPerSecond: has ? change('requests') / (last.at - first.at) * 1000 : null,
      requestsPerEvent: per(function () { return change('requests'); }, count),
      cpu: per(function () { return change('cpuNs') / 1000; }, has && change('deliveries')),
      waiting: this.waiting,
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
