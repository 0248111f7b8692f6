// Owns the lanes and their rows: what comes, what is asked, and where the numbers stand.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  var BIG = {
    news: ['median', 'bytesPerEvent', 'requestsPerSecond', 'cpu'],
    questions: ['median', 'requestsPerEvent', 'bytesPerEvent', 'cpu']
  }[Compare.address.view];
  var SMALL = ['p95', 'waiting', 'gaps', 'repeats'];
  // The lanes by their transports.
  var CARRIERS = { poll: 'long-poll', events: 'events', stream: 'stream', websocket: 'websocket' };

  function Lane(kind, place) {
    this.kind = kind;
    this.client = null;
    this.stats = new Compare.Stats();
    // The relay's latest.
    this.reading = null;
    this.tape = null;
    // Told the bytes of an upload when all have come.
    this.uploaded = null;
    this.row = build(kind);
    this.timeline = new Compare.Timeline(this.row.querySelector('.timeline'));
    this.histogram = this.row.querySelector('.histogram');
    place.appendChild(this.row);
  }

  // Starts the lane's client at its relay; `clock` gives the server's time.
  Lane.prototype.start = function (port, clock, settings) {
    var lane = this;
    this.clock = clock;
    this.client = new Compare.Client(this.kind, port, settings, function (message) { lane.got(message); });
  };

  // An event, an answer, or the news that an upload has come.
  Lane.prototype.got = function (message) {
    var words = message.split(' ', 3), number = parseInt(words[0], 10), came = this.clock();
    if (words[0] === 'upload') {
      this.uploaded(parseInt(words[1], 10));
    } else if (Compare.address.view === 'questions') {
      var asked = this.stats.answer(number, came);
      if (asked >= 0) {
        this.timeline.answer(asked, parseFloat(words[1]), parseFloat(words[2]), came);
      }
    } else {
      this.stats.take(number, parseFloat(words[1]), came);
      if (came >= 0) {
        this.timeline.deliver(parseFloat(words[1]), came);
      }
    }
  };

  // Asks a question, if the lane is open.
  Lane.prototype.ask = function (number, asked, text) {
    var stats = this.stats;
    if (this.client && this.client.isOpen()) {
      stats.ask(number, asked);
      this.client.say(text, function () { stats.lose(number); });
    }
  };

  // Sends the parts of an upload; `uploaded` is told how many bytes have come, or null if they have not.
  Lane.prototype.upload = function (parts, uploaded) {
    this.uploaded = uploaded;
    this.client.upload(parts, function () { uploaded(null); });
  };

  // A reading of the relay came.
  Lane.prototype.read = function (at, message, published) {
    this.reading = message.reading;
    this.stats.read(at, message.reading, published);
    this.timeline.note(message.activity);
    this.tape = message.tape || this.tape;
  };

  // What carries its session now; empty without one.
  Lane.prototype.transport = function () {
    return this.client ? this.client.transport : '';
  };

  // Writes the numbers into the row, and returns them.
  Lane.prototype.show = function () {
    var summary = this.stats.summary();
    var row = this.row;
    BIG.concat(SMALL).forEach(function (name) {
      row.querySelector('[data-number="' + name + '"]').textContent = format(summary[name]);
    });
    row.setAttribute('data-sound', summary.gaps + summary.repeats === 0);
    // A lane that is carried as it says needs no badge; WebSocket's is what the button is about.
    var transport = this.transport(), carrier = CARRIERS[transport] || '';
    var badge = row.querySelector('.badge');
    this.timeline.isStream = transport === 'stream' || transport === 'events';
    badge.hidden = !transport || (carrier === this.kind && carrier !== 'websocket');
    badge.setAttribute('data-transport', transport);
    badge.textContent = text(carrier || 'viaNone');
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
    var row = element('li', 'lane lane-' + kind,
      '<div class="about"><h3><span data-word="' + kind + '"></span><span class="badge" hidden></span></h3>' +
      '<p class="verdict"></p>' +
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
  Compare.format = format;
  Compare.element = element;
})(window.Compare);
