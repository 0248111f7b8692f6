// A phone's hour over each way: without any message, and with one a minute. An hour is computed from the whole minutes
// that were measured.
(function (Compare) {
  'use strict';

  var HOUR = 60, MINUTE_MS = 60000;
  // What is drawn, and how long a radio stays awake.
  var SHOWN_MS = 300000, AWAKE_MS = 5000;
  var KIB = 1024;
  var CASES = ['minute', 'idle'];
  var NUMBERS = ['kilobytes', 'wakeUps', 'awake'];

  // Two lanes of a kind: one with a message a minute, one without.
  function Phone(kind, place) {
    this.kind = kind;
    this.lanes = {};
    this.clients = {};
    this.row = Compare.element('li', 'lane lane-' + kind,
      '<div class="about"><h3><span data-word="' + kind + '"></span></h3><p class="verdict"></p>' +
      '<p class="how" data-word="' + kind + '-how"></p></div>' +
      '<div class="picture"><canvas class="timeline" role="img" data-label="awakeTimes"></canvas></div>' +
      '<div class="hours">' + CASES.map(function (name) {
        return '<h4 data-word="' + name + '"></h4><dl class="numbers ' + name + '">' + NUMBERS.map(function (number) {
          return '<div class="number big"><dd data-number="' + name + '-' + number + '">–</dd><dt data-word="' + number +
            '"></dt></div>';
        }).join('') + '</dl>';
      }).join('') + '</div>');
    this.canvas = this.row.querySelector('canvas');
    Compare.words.fill(this.row);
    place.appendChild(this.row);
  }

  // One of its lanes: what its relay has read since the connecting was over.
  function Quiet() {
    this.reading = this.first = this.whole = null;
    this.minutes = 0;
    // When the radio was awake.
    this.wakes = [];
  }

  // What passed so far was the connecting, or belonged to other settings.
  Quiet.prototype.settle = function () {
    this.first = this.reading;
    this.whole = null;
    this.minutes = 0;
  };

  Quiet.prototype.read = function (at, message) {
    var wakes = this.wakes, reading = message.reading;
    message.activity.forEach(function (one) {
      if (one[0] === 'wake') {
        wakes.push({ from: one[2], to: one[2] });
      }
    });
    if (wakes.length) {
      wakes[wakes.length - 1].to = reading.passedMs + AWAKE_MS;
    }
    this.reading = reading;
    this.reading.at = at;
    if (this.first && at >= this.first.at + MINUTE_MS * (this.minutes + 1)) {
      this.minutes += 1;
      this.whole = reading;
    }
  };

  // An hour, computed from the whole minutes; null before the first.
  Quiet.prototype.hour = function () {
    var quiet = this;
    if (!this.whole) {
      return null;
    }
    function change(name) {
      return (quiet.whole[name] - quiet.first[name]) / quiet.minutes * HOUR;
    }
    return {
      kilobytes: (change('bytesUp') + change('bytesDown')) / KIB,
      wakeUps: change('wakeUps'),
      awake: Math.min(HOUR, change('awakeMs') / MINUTE_MS)
    };
  };

  Phone.prototype.start = function (name, port, settings) {
    this.lanes[name] = new Quiet();
    this.clients[name] = new Compare.Client(this.kind, port, settings, function () {});
  };

  Phone.prototype.settle = function () {
    var lanes = this.lanes;
    CASES.forEach(function (name) { lanes[name].settle(); });
  };

  // Writes the numbers, and the verdict beside WebSocket's.
  Phone.prototype.show = function (websocket) {
    var phone = this;
    CASES.forEach(function (name) {
      var hour = phone.lanes[name].hour();
      NUMBERS.forEach(function (number) {
        phone.row.querySelector('[data-number="' + name + '-' + number + '"]').textContent =
          Compare.format(hour && hour[number]);
      });
    });
    var own = this.lanes.minute.hour(), other = websocket.lanes.minute.hour();
    var verdict = this.row.querySelector('.verdict');
    verdict.textContent = own && other ? Compare.words.text('aDay')
      .replace('{megabytes}', Compare.format(own.kilobytes * 24 / KIB))
      .replace('{times}', phone === websocket ? '' : Compare.words.text('aDayTimes')
        .replace('{ratio}', Compare.format(Math.round(own.kilobytes / other.kilobytes * 10) / 10))) :
      Compare.words.text('noVerdict');
  };

  // When the radio was awake: above with a message a minute, below without.
  Phone.prototype.draw = function (now, style) {
    var fitted = Compare.fit(this.canvas), pen = fitted.pen, phone = this;
    var begin = now - SHOWN_MS;
    function x(at) {
      return (at - begin) / SHOWN_MS * fitted.width;
    }
    pen.fillStyle = style.line;
    for (var at = Math.ceil(begin / MINUTE_MS) * MINUTE_MS; at < now; at += MINUTE_MS) {
      pen.fillRect(Math.round(x(at)), 0, 1, fitted.height);
    }
    pen.fillStyle = style.colour;
    CASES.forEach(function (name, place) {
      var quiet = phone.lanes[name], top = fitted.height * (place ? 0.56 : 0.12), high = fitted.height * 0.32;
      quiet.wakes = quiet.wakes.filter(function (wake) { return wake.to > begin; });
      pen.globalAlpha = 0.12;
      pen.fillRect(0, top + high - 1, fitted.width, 1);
      quiet.wakes.forEach(function (wake) {
        var from = Math.max(0, x(wake.from)), to = x(Math.min(now, wake.to));
        pen.globalAlpha = 0.45;
        pen.fillRect(from, top, Math.max(1, to - from), high);
        pen.globalAlpha = 1;
        pen.fillRect(from, top, 2, high);
      });
      pen.globalAlpha = 1;
    });
  };

  var KINDS = ['short-poll', 'long-poll', 'events', 'stream', 'websocket'];

  function PhoneView() {
    this.phones = KINDS.map(function (kind) { return new Phone(kind, document.querySelector('#lanes')); });
    this.styles = [];
  }

  PhoneView.prototype.each = function (act) {
    this.phones.forEach(act);
  };

  // The server has said which lanes there are: all kinds without a message, then all with one a minute.
  PhoneView.prototype.start = function (lanes, clock, settings) {
    this.each(function (phone, place) {
      phone.start('idle', lanes[place].port, settings);
      phone.start('minute', lanes[place + KINDS.length].port, settings);
    });
  };

  PhoneView.prototype.read = function (readings) {
    this.each(function (phone, place) {
      phone.lanes.idle.read(readings.at, readings.lanes[place]);
      phone.lanes.minute.read(readings.at, readings.lanes[place + KINDS.length]);
    });
  };

  PhoneView.prototype.settle = PhoneView.prototype.reset = PhoneView.prototype.change = function () {
    this.each(function (phone) { phone.settle(); });
  };

  PhoneView.prototype.show = function (now) {
    var quiet = this.phones[0].lanes.idle, websocket = this.phones[KINDS.length - 1];
    if (!quiet || !quiet.first) {
      return;
    }
    this.each(function (phone) { phone.show(websocket); });
    var place = document.querySelector('#measured'), since = Math.max(0, now - quiet.first.at);
    place.querySelector('span').textContent = Compare.words.text(quiet.minutes ? 'measured' : 'measuring')
      .replace('{minutes}', quiet.minutes)
      .replace('{seconds}', Math.ceil(Math.max(0, MINUTE_MS - since) / 1000));
    place.querySelector('i').style.width = since % MINUTE_MS / MINUTE_MS * 100 + '%';
  };

  // How each row is drawn, for the theme that is shown.
  PhoneView.prototype.style = function () {
    this.styles = this.phones.map(function (phone) { return Compare.style(phone.row); });
  };

  PhoneView.prototype.draw = function (now) {
    var styles = this.styles;
    this.each(function (phone, place) {
      if (phone.lanes.minute) {
        phone.draw(now, styles[place]);
      }
    });
  };

  // What people take along: a row for each kind and case, by name.
  PhoneView.prototype.table = function () {
    var rows = [];
    this.each(function (phone) {
      CASES.forEach(function (name) {
        var quiet = phone.lanes[name], hour = quiet.hour() || {};
        rows.push({
          lane: phone.kind, messagesPerHour: name === 'minute' ? HOUR : 0, measuredMinutes: quiet.minutes,
          kilobytesPerHour: hour.kilobytes, wakeUpsPerHour: hour.wakeUps, awakeMinutesPerHour: hour.awake
        });
      });
    });
    return rows;
  };

  PhoneView.prototype.rows = function () {
    return this.phones.map(function (phone) { return phone.row; });
  };

  PhoneView.CASES = CASES;
  Compare.PhoneView = PhoneView;
})(window.Compare);
