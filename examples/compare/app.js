// Joins the rooms: the control session, the lanes, the chart, the bytes, and what the visitor chooses.
(function (Compare) {
  'use strict';

  // By then every client has connected and proven its path.
  var SETTLED_MS = 3000;
  var find = function (selector) { return document.querySelector(selector); };
  var words = Compare.words;
  var lanes = [];
  var settings = null;
  // Between this clock and the server's: zero on one machine, unless somebody looks on through a tunnel.
  var clock = { offset: 0, bestTrip: Infinity, answers: 0 };
  var CLOCK_ANSWERS = 5;
  var chart, controls, shownWire = 'websocket', isHeld = false;

  function own() {
    return window.performance && performance.timeOrigin ? performance.timeOrigin + performance.now() : Date.now();
  }
  function now() {
    return own() + clock.offset;
  }
  // NaN until the two clocks have been compared: a delay by the first guess would be wrong.
  function settledNow() {
    return clock.answers < CLOCK_ANSWERS ? NaN : now();
  }

  var control = new Anywire('/control');
  control.onmessage = function (event) {
    var message = JSON.parse(event.data);
    handlers[message.type](message);
  };
  control.onclose = function () {
    if (find('#notice').hidden) {
      notice('ended');
    }
  };

  var handlers = {
    hello: function (hello) {
      settings = hello.settings;
      hello.lanes.forEach(function (lane, place) {
        lanes[place].start(lane.port, settledNow, function () { return settings; });
      });
      controls = new Compare.Controls(find('#sliders'), find('#break'), settings, function (settings) {
        lanes.forEach(function (lane) { lane.forget(); });
        control.send(JSON.stringify({ type: 'set', settings: settings }));
      });
      words.fill(find('#sliders'));
      find('main').className = '';
      setTimeout(function () {
        lanes.forEach(function (lane) { lane.stats.settle(); });
      }, SETTLED_MS);
      for (var i = 0; i < CLOCK_ANSWERS; i++) {
        setTimeout(askClock, i * 300);
      }
    },
    readings: function (readings) {
      lanes.forEach(function (lane, place) {
        lane.read(readings.at, readings.lanes[place], readings.published);
      });
    },
    clock: function (answer) {
      var trip = own() - answer.sent;
      clock.answers += 1;
      if (trip < clock.bestTrip) {
        clock.bestTrip = trip;
        // Half a fast trip is less than what two clocks of one machine differ by in rounding.
        var offset = answer.at - (answer.sent + trip / 2);
        clock.offset = Math.abs(offset) < 5 ? 0 : offset;
      }
    },
    full: function () {
      notice('full');
    }
  };

  function askClock() {
    control.send(JSON.stringify({ type: 'clock', sent: own() }));
  }

  function notice(name) {
    var node = find('#notice');
    node.hidden = false;
    node.setAttribute('data-word', name);
    node.textContent = words.text(name);
  }

  // How each lane is drawn, read anew when the theme changes.
  var styles = [];
  function readStyles() {
    var root = getComputedStyle(document.documentElement);
    styles = lanes.map(function (lane) {
      return {
        colour: getComputedStyle(lane.row).color,
        // Engines without custom properties have one theme.
        line: (root.getPropertyValue('--line') || '#e5e2db').trim(),
        bad: (root.getPropertyValue('--bad-dot') || '#dc3a63').trim()
      };
    });
    chart.build();
  }

  function draw() {
    var at = now();
    lanes.forEach(function (lane, place) {
      lane.timeline.draw(at, styles[place]);
    });
  }

  // Those who want less motion see a picture per second.
  var isCalm = window.matchMedia && matchMedia('(prefers-reduced-motion: reduce)').matches;
  function drawOn() {
    draw();
    if (window.requestAnimationFrame && !isCalm) {
      requestAnimationFrame(drawOn);
    } else {
      setTimeout(drawOn, isCalm ? 1000 : 100);
    }
  }

  var shows = 0;
  var yardstick = new Compare.Yardstick();
  function show() {
    var summaries = lanes.map(function (lane) { return lane.show(); });
    if (settings) {
      showVerdicts(summaries);
    }
    shows += 1;
    if (shows % 2 === 0) {
      chart.add(now(), summaries);
    }
    if (!isHeld) {
      showWire();
    }
  }

  function showVerdicts(summaries) {
    var best = lanes.length - 1;
    yardstick.measure(lanes[best], summaries[best], settings, now());
    lanes.forEach(function (lane, place) {
      Compare.showVerdict(lane.row.querySelector('.verdict'), lane, summaries[place], yardstick.under(settings), settings);
    });
  }

  function showWire() {
    lanes.forEach(function (lane) {
      if (lane.kind === shownWire) {
        Compare.showWire(find('#wire'), lane.tape);
      }
    });
  }

  function speak(language) {
    words.show(language);
    if (controls) {
      controls.say();
    }
    showWire();
  }

  var kinds = ['short-poll', 'long-poll', 'events', 'stream', 'websocket'];
  kinds.forEach(function (kind) {
    lanes.push(new Compare.Lane(kind, find('#lanes')));
  });
  chart = new Compare.Chart(find('#chart'), kinds);
  chart.load(function (isPossible) {
    if (!isPossible) {
      find('#chart-card').hidden = true;
      find('#reduced').hidden = false;
    }
  });
  var language = Compare.storage.get('language') || (/^ko/.test(navigator.language || '') ? 'ko' : 'en');
  var theme = Compare.storage.get('theme') || 'auto';
  Compare.choice(find('#language'), language, speak);
  Compare.choice(find('#theme'), theme, function (theme) {
    Compare.showTheme(theme);
    readStyles();
  });
  Compare.choice(find('#chart-what'), 'chartLatency', function (what) { chart.show(what); });
  Compare.choice(find('#wire-lane'), shownWire, function (kind) {
    shownWire = kind;
    showWire();
  });
  find('#hold').onchange = function () { isHeld = this.checked; };
  find('#reset').onclick = function () {
    lanes.forEach(function (lane) { lane.stats.reset(); });
  };
  Compare.showTheme(theme);
  speak(language);
  readStyles();
  window.addEventListener('resize', function () { chart.build(); });
  if (window.matchMedia && matchMedia('(prefers-color-scheme: dark)').addEventListener) {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readStyles);
  }
  setInterval(show, 500);
  drawOn();
  Compare.lanes = lanes;
})(window.Compare);
