// Asks all lanes the same questions, at the same moments.
(function (Compare) {
  'use strict';

  // `clock` gives the server's time, and `settings` how often to ask and for what.
  function Questions(lanes, clock, settings) {
    this.lanes = lanes;
    this.clock = clock;
    this.settings = settings;
    this.number = 0;
    // While an upload is measured nothing else is asked.
    this.isPaused = false;
    this.next();
  }

  Questions.prototype.next = function () {
    var questions = this;
    // The pauses vary, so that they do not keep step with a polling interval.
    var pause = 1000 / this.settings().questionsPerSecond * (0.5 + Math.random());
    setTimeout(function () {
      if (!questions.isPaused) {
        questions.ask();
      }
      questions.next();
    }, pause);
  };

  Questions.prototype.ask = function () {
    var settings = this.settings(), number = this.number += 1, asked = this.clock();
    var text = [number, settings.answerMs, settings.answerBytes].join(' ');
    this.lanes.forEach(function (lane) {
      lane.ask(number, asked, text);
    });
  };

  // Whether some question has no answer yet.
  Questions.prototype.isWaiting = function () {
    return this.lanes.some(function (lane) { return lane.stats.waiting > 0; });
  };

  Compare.Questions = Questions;
})(window.Compare);
