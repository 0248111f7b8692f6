// Owns the lanes' clients and their rows: which client carries a lane, and where its numbers stand.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  var BIG = ['median', 'bytesPerEvent', 'requestsPerSecond', 'cpu'];
  var SMALL = ['p95', 'waiting', 'gaps', 'repeats'];
  // What may carry each lane's session. Long polling carries that of WebSocket while it is broken, so that the fallback
  // is seen to cost something; without a list, streaming would, which is the lane above.
  var TRANSPORTS = {
    'long-poll': ['poll'], events: ['events'], stream: ['stream'], websocket: ['websocket', 'poll']
  };
  // The lanes by their transports.
  var CARRIERS = { poll: 'long-poll', events: 'events', stream: 'stream', websocket: 'websocket' };

  function Lane(kind, place) {
    this.kind = kind;
    this.port = 0;
    // Short polling has none.
    this.socket = null;
    this.stats = new Compare.Stats();
    this.transport = '';
    this.memory = {};
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
      if (came >= 0) {
        lane.timeline.deliver(parseFloat(words[1]), came);
      }
    }
    if (this.kind === 'short-poll') {
      return Compare.shortPoll(url, got, settings);
    }
    var socket = new Anywire(url, [], {
      transports: TRANSPORTS[this.kind], withCredentials: false, localStorage: this.memory
    });
    this.socket = socket;
    socket.onmessage = function (event) { got(event.data); };
    socket.ontransport = function () {
      lane.transport = socket.transport;
      lane.timeline.isStream = lane.transport === 'stream' || lane.transport === 'events';
    };
  };

  // The network is another from now on: what the client remembers of it, for ten minutes, is not true of this one.
  Lane.prototype.forget = function () {
    for (var name in this.memory) {
      delete this.memory[name];
    }
  };

  // A reading of the relay came.
  Lane.prototype.read = function (at, message, published) {
    this.stats.read(at, message.reading, published);
    this.timeline.note(message.activity);
    this.tape = message.tape || this.tape;
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
    var carrier = CARRIERS[this.transport] || '';
    var badge = row.querySelector('.badge');
    badge.hidden = !this.transport || (carrier === this.kind && carrier !== 'websocket');
    badge.setAttribute('data-transport', this.transport);
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
})(window.Compare);
