// The views of news and of questions: their lanes, the verdicts, the chart, and the bytes on the wire.
(function (Compare) {
  'use strict';

  var KINDS = {
    news: ['short-poll', 'long-poll', 'events', 'stream', 'websocket'],
    questions: ['fetch', 'short-poll', 'long-poll', 'events', 'stream', 'websocket']
  };
  var CHARTS = ['chartLatency', 'chartBytes', 'chartCpu'];
  var find = function (selector) { return document.querySelector(selector); };

  function LanesView(view) {
    var all = this;
    this.kinds = KINDS[view];
    this.lanes = this.kinds.map(function (kind) { return new Compare.Lane(kind, find('#lanes')); });
    this.yardstick = new Compare.Yardstick();
    this.shows = 0;
    this.isHeld = false;
    this.styles = [];
    this.upload = null;
    this.chart = new Compare.Chart(find('#chart'), this.kinds);
    this.chart.load(function (isPossible) {
      find('#chart-card').hidden = !isPossible;
      find('#reduced').hidden = isPossible;
    });
    this.chart.show(Compare.address.get('chart', CHARTS));
    Compare.choice(find('#chart-what'), this.chart.what, function (what) {
      all.chart.show(what);
      Compare.address.show({ chart: what }, { chart: CHARTS[0] });
    });
    this.shownWire = Compare.address.get('wire', this.kinds.slice().reverse());
    Compare.choice(find('#wire-lane'), this.shownWire, function (kind) {
      all.shownWire = kind;
      all.showWire();
      Compare.address.show({ wire: kind }, { wire: 'websocket' });
    });
    find('#hold').onchange = function () { all.isHeld = this.checked; };
  }

  // The server has said which lanes there are.
  LanesView.prototype.start = function (lanes, clock, settings) {
    this.settings = settings;
    this.lanes.forEach(function (lane, place) {
      lane.start(lanes[place].port, clock, settings);
    });
    if (Compare.address.view === 'questions') {
      var questions = new Compare.Questions(this.lanes, clock, settings);
      find('#upload').hidden = !Compare.Upload.isPossible();
      this.upload = new Compare.Upload(find('#upload'), this.lanes, questions);
    }
  };

  LanesView.prototype.read = function (readings) {
    this.lanes.forEach(function (lane, place) {
      lane.read(readings.at, readings.lanes[place], readings.published);
    });
  };

  LanesView.prototype.settle = function () {
    this.lanes.forEach(function (lane) { lane.stats.settle(); });
  };

  LanesView.prototype.reset = function () {
    this.lanes.forEach(function (lane) { lane.stats.reset(); });
  };

  // The settings have changed, and with them the network.
  LanesView.prototype.change = function () {
    this.lanes.forEach(function (lane) {
      lane.client.forget();
      if (Compare.address.view === 'questions') {
        lane.stats.restart();
      }
    });
  };

  LanesView.prototype.show = function (now) {
    var view = this;
    var summaries = this.lanes.map(function (lane) { return lane.show(); });
    if (this.settings) {
      this.showVerdicts(summaries, now);
    }
    this.shows += 1;
    if (this.shows % 2 === 0) {
      this.chart.add(now, summaries);
    }
    if (!this.isHeld) {
      view.showWire();
    }
  };

  LanesView.prototype.showVerdicts = function (summaries, now) {
    var best = this.lanes.length - 1, settings = this.settings(), yardstick = this.yardstick;
    yardstick.measure(this.lanes[best], summaries[best], settings, now);
    this.lanes.forEach(function (lane, place) {
      Compare.showVerdict(lane.row.querySelector('.verdict'), lane, summaries[place], yardstick.under(settings), settings);
    });
  };

  LanesView.prototype.showWire = function () {
    var shown = this.shownWire;
    this.lanes.forEach(function (lane) {
      if (lane.kind === shown) {
        Compare.showWire(find('#wire'), lane.tape);
      }
    });
  };

  // How each lane is drawn, for the theme that is shown.
  LanesView.prototype.style = function () {
    this.styles = this.lanes.map(function (lane) { return Compare.style(lane.row); });
    this.chart.build();
  };

  LanesView.prototype.draw = function (now) {
    var styles = this.styles;
    this.lanes.forEach(function (lane, place) {
      lane.timeline.draw(now, styles[place]);
    });
  };

  // What people take along: a row for each lane, by name.
  LanesView.prototype.table = function () {
    var upload = this.upload;
    return this.lanes.map(function (lane, place) {
      var row = lane.stats.summary();
      delete row.bins;
      row.lane = lane.kind;
      if (upload && upload.results[place]) {
        Object.keys(upload.results[place]).forEach(function (name) { row[name] = upload.results[place][name]; });
      }
      return row;
    });
  };

  LanesView.prototype.rows = function () {
    return this.lanes.map(function (lane) { return lane.row; });
  };

  Compare.LanesView = LanesView;
})(window.Compare);
