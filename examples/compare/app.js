// Joins the rooms: the control session, the view that the address names, and what the visitor chooses.
(function (Compare) {
  'use strict';

  // By then every client has connected and proven its path.
  var SETTLED_MS = 3000;
  var CLOCK_ANSWERS = 5;
  var find = function (selector) { return document.querySelector(selector); };
  var words = Compare.words, address = Compare.address;
  var settings = null, controls = null, view = null;
  // Between this clock and the server's: zero on one machine, unless somebody looks on through a tunnel.
  var clock = { offset: 0, bestTrip: Infinity, answers: 0 };

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
  control.onopen = function () {
    control.send(JSON.stringify({ type: 'start', view: address.view, settings: address.values() }));
  };
  control.onmessage = function (event) {
    var message = JSON.parse(event.data);
    handlers[message.type](message);
  };
  control.onclose = function (event) {
    if (find('#notice').hidden && event.code !== 1005) {
      notice('ended');
    }
  };

  var handlers = {
    hello: function (hello) {
      settings = hello.settings;
      view.start(hello.lanes, settledNow, function () { return settings; });
      controls = new Compare.Controls(find('#sliders'), find('#break'), settings, function (settings) {
        view.change();
        address.show(settings, hello.beginning);
        control.send(JSON.stringify({ type: 'set', settings: settings }));
      });
      words.fill(find('#sliders'));
      find('main').className = '';
      setTimeout(function () { view.settle(); }, SETTLED_MS);
      for (var i = 0; i < CLOCK_ANSWERS; i++) {
        setTimeout(askClock, i * 300);
      }
    },
    readings: function (readings) {
      view.read(readings);
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

  // The lanes of a page that is gone are of no use to the next. One that comes back from the browser's memory loads anew.
  window.addEventListener('pagehide', function () { control.close(); });
  window.addEventListener('pageshow', function (event) {
    if (event.persisted) {
      location.reload();
    }
  });

  function askClock() {
    control.send(JSON.stringify({ type: 'clock', sent: own() }));
  }

  function notice(name) {
    var node = find('#notice');
    node.hidden = false;
    node.setAttribute('data-word', name);
    node.textContent = words.text(name);
  }

  // The colours of a row, read anew when the theme changes. Engines without custom properties have one theme.
  Compare.style = function (row) {
    var root = getComputedStyle(document.documentElement);
    return {
      colour: getComputedStyle(row).color,
      line: (root.getPropertyValue('--line') || '#e5e2db').trim(),
      bad: (root.getPropertyValue('--bad-dot') || '#dc3a63').trim()
    };
  };

  // Those who want less motion see a picture per second.
  var isCalm = window.matchMedia && matchMedia('(prefers-reduced-motion: reduce)').matches;
  function drawOn() {
    view.draw(now());
    if (window.requestAnimationFrame && !isCalm) {
      requestAnimationFrame(drawOn);
    } else {
      setTimeout(drawOn, isCalm ? 1000 : 100);
    }
  }

  function speak(language) {
    words.show(language);
    if (controls) {
      controls.say();
    }
    view.show(now());
  }

  function saveCsv() {
    Compare.save('anywire-' + address.view + '.csv', new Blob([Compare.csv(view.table(), settings)], { type: 'text/csv' }));
  }

  function savePicture() {
    Compare.picture(words.text('title'), controls.text(), view.rows()).toBlob(function (blob) {
      Compare.save('anywire-' + address.view + '.png', blob);
    });
  }

  document.body.setAttribute('data-view', address.view);
  // What this view does not show is not there.
  Compare.each(document.querySelectorAll('[data-views]'), function (node) {
    node.hidden = node.getAttribute('data-views').split(' ').indexOf(address.view) < 0;
  });
  Compare.each(document.querySelectorAll('.views a'), function (link) {
    if (link.getAttribute('data-view') === address.view) {
      link.setAttribute('aria-current', 'page');
    }
  });
  view = address.view === 'phone' ? new Compare.PhoneView() : new Compare.LanesView(address.view);
  var language = Compare.storage.get('language') || (/^ko/.test(navigator.language || '') ? 'ko' : 'en');
  var theme = Compare.storage.get('theme') || 'auto';
  Compare.choice(find('#language'), language, speak);
  Compare.choice(find('#theme'), theme, function (theme) {
    Compare.showTheme(theme);
    view.style();
  });
  find('#reset').onclick = function () { view.reset(); };
  find('#csv').onclick = saveCsv;
  find('#picture').onclick = savePicture;
  find('#take').hidden = !Compare.canExport();
  Compare.showTheme(theme);
  speak(language);
  view.style();
  window.addEventListener('resize', function () { view.style(); });
  if (window.matchMedia && matchMedia('(prefers-color-scheme: dark)').addEventListener) {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () { view.style(); });
  }
  setInterval(function () { view.show(now()); }, 500);
  drawOn();
  Compare.view = view;
})(window.Compare);
