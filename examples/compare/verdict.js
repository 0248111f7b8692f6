// Says what each lane costs beside WebSocket: how many times the delay, the bytes and the CPU.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  // What is compared, and below what a difference is noise.
  var PARTS = [
    { name: 'times-median', number: 'median', least: 1 },
    { name: 'times-bytes', number: 'bytesPerEvent', least: 1 },
    { name: 'times-cpu', number: 'cpu', least: 1 }
  ];

  // What WebSocket costs while it carries its lane. It is kept while it is broken, unless the load changes: then what
  // carries in its place is compared with it too.
  function Yardstick() {
    this.summary = null;
    this.load = '';
    this.awayAt = -Infinity;
  }

  // WebSocket's lane is at this.
  Yardstick.prototype.measure = function (lane, summary, settings, at) {
    if (settings.websocketBroken || (!settings.cutsPerMinute && lane.transport() !== 'websocket')) {
      this.awayAt = at;
    } else if (lane.stats.since() > this.awayAt && summary.bytesPerEvent !== null) {
      this.summary = summary;
      this.load = load(settings);
    }
  };

  // What to compare with, or null.
  Yardstick.prototype.under = function (settings) {
    return load(settings) === this.load ? this.summary : null;
  };

  function load(settings) {
    return Object.keys(settings).sort().map(function (name) {
      return name === 'websocketBroken' ? '' : settings[name];
    }).join();
  }

  // Writes a lane's verdict: WebSocket itself says what an event costs, the others how many times as much.
  Compare.showVerdict = function (place, lane, summary, yardstick, settings) {
    var isOwn = lane.kind === 'websocket' && lane.transport() === 'websocket';
    if (!yardstick) {
      place.innerHTML = '<span>' + text('noVerdict') + '</span>';
    } else if (isOwn) {
      place.innerHTML = '<span>' + text('yardstick')
        .replace('{size}', settings[Compare.address.view === 'questions' ? 'answerBytes' : 'sizeBytes'].toLocaleString('en'))
        .replace('{bytes}', Math.round(yardstick.bytesPerEvent).toLocaleString('en')) + '</span>';
    } else {
      place.innerHTML = '<span>' + text('versus') + '</span>' + PARTS.map(function (part) {
        return times(part, summary, yardstick);
      }).join('');
    }
  };

  function times(part, summary, yardstick) {
    var own = summary[part.number], other = yardstick[part.number];
    if (own === null || other === null) {
      return '';
    }
    var ratio = Math.max(own, part.least) / Math.max(other, part.least);
    // What reads as 1.5 is.
    var level = ratio >= 4.95 ? 'many' : ratio >= 1.45 ? 'some' : 'none';
    return ' <span class="times" data-level="' + level + '">' + text(part.name) + ' <b>×' +
      (ratio < 9.95 ? ratio.toFixed(1) : Math.round(ratio).toLocaleString('en')) + '</b></span>';
  }

  Compare.Yardstick = Yardstick;
})(window.Compare);
