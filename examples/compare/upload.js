// An upload of 1 MiB over each lane, one after the other, and what each took.
(function (Compare) {
  'use strict';

  var PARTS = 16, PART_BYTES = 65536;
  // Readings after the last byte has passed, so that all of it is in them: a server's clock is read twice a second.
  var LATER_READINGS = 7;
  var LONGEST_MS = 30000;
  var NUMBERS = ['uploadMs', 'uploadRequests', 'uploadBytes', 'uploadCpu'];

  function Upload(card, lanes, questions) {
    this.card = card;
    this.lanes = lanes;
    this.questions = questions;
    this.rows = lanes.map(function (lane) { return row(card.querySelector('tbody'), lane.kind); });
    // What each lane took, or nothing yet.
    this.results = lanes.map(function () { return null; });
    var upload = this;
    card.querySelector('button').onclick = function () { upload.begin(); };
  }

  // Whether this engine has bytes to send.
  Upload.isPossible = function () {
    return !!(window.Uint8Array && window.Blob && window.btoa);
  };

  Upload.prototype.begin = function () {
    var upload = this, parts = random(), button = this.card.querySelector('button');
    button.disabled = true;
    this.questions.isPaused = true;
    this.results = this.lanes.map(function () { return null; });
    this.show(-1);
    // What has been asked is answered first.
    whenever(function () { return !upload.questions.isWaiting(); }, function () {
      upload.go(0, parts, function () {
        // What an upload cost is no question's.
        upload.lanes.forEach(function (lane) { lane.stats.restart(); });
        upload.questions.isPaused = false;
        button.disabled = false;
        upload.show(-1);
      });
    });
  };

  Upload.prototype.go = function (place, parts, done) {
    var upload = this, lane = this.lanes[place];
    if (!lane) {
      return done();
    }
    function next() {
      upload.go(place + 1, parts, done);
    }
    if (!lane.client.isOpen()) {
      return next();
    }
    this.show(place);
    measure(lane, parts, function (result) {
      upload.results[place] = result;
      next();
    });
  };

  // Sends, and reads the relay before and after.
  function measure(lane, parts, done) {
    var before = lane.reading, started = now(), ended = 0, bytes = null, later = 0, last = before;
    lane.upload(parts, function (came) {
      bytes = came;
      ended = now();
      last = lane.reading;
    });
    whenever(function () {
      if (ended && lane.reading !== last) {
        last = lane.reading;
        later += 1;
      }
      return later >= LATER_READINGS;
    }, function () {
      function change(name) {
        return lane.reading[name] - before[name];
      }
      done(bytes === null ? null : {
        uploadMs: ended - started,
        uploadRequests: change('requests'),
        uploadBytes: change('bytesUp') + change('bytesDown'),
        uploadCpu: change('cpuNs') / 1e6
      });
    });
  }

  function whenever(isSo, act) {
    var since = now();
    var timer = setInterval(function () {
      if (isSo() || now() - since > LONGEST_MS) {
        clearInterval(timer);
        act();
      }
    }, 20);
  }

  function now() {
    return window.performance && performance.now ? performance.now() : Date.now();
  }

  // Bytes that do not shrink.
  function random() {
    var parts = [];
    for (var i = 0; i < PARTS; i++) {
      var part = new Uint8Array(PART_BYTES);
      for (var j = 0; j < PART_BYTES; j++) {
        part[j] = Math.random() * 256;
      }
      parts.push(part);
    }
    return parts;
  }

  Compare.base64 = function (bytes) {
    var characters = '';
    for (var i = 0; i < bytes.length; i += 4096) {
      characters += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096));
    }
    return btoa(characters);
  };

  function row(place, kind) {
    var row = Compare.element('tr', 'lane-' + kind,
      '<th scope="row" data-word="' + kind + '"></th>' + NUMBERS.map(function (name) {
        return '<td data-number="' + name + '">–</td>';
      }).join('') + '<td class="bar"><i></i></td>');
    place.appendChild(row);
    Compare.words.fill(row);
    return row;
  }

  // Writes what is known; the lane at `running` is under way.
  Upload.prototype.show = function (running) {
    var upload = this;
    var longest = Math.max.apply(null, this.results.map(function (result) { return result ? result.uploadMs : 1; }));
    this.rows.forEach(function (row, place) {
      var result = upload.results[place];
      NUMBERS.forEach(function (name) {
        row.querySelector('[data-number="' + name + '"]').textContent =
          result ? Compare.format(result[name]) : place === running ? '…' : '–';
      });
      row.querySelector('i').style.width = result ? Math.max(1, result.uploadMs / longest * 100) + '%' : '0';
    });
  };

  Upload.NUMBERS = NUMBERS;
  Compare.Upload = Upload;
})(window.Compare);
