/**
 * Owns one deadline at a time.
 * Leaves the time itself to the clock, which is a parameter everywhere.
 */

/** Browsers fire at once where a timer is longer than 24 days; this is half of that. */
var MAX_TIMEOUT_MS = 1e9;

/**
 * @param {Clock} clock
 * @param {() => void} fire
 * @returns {Timer}
 */
function createTimer(clock, fire) {
  /** @type {any} */
  var id;
  // `Infinity` while it does not run.
  var deadline = Infinity;
  var timer = {
    /** @param {number} ms */
    set: function (ms) {
      timer.stop();
      deadline = clock.now() + ms;
      id = clock.setTimeout(function () {
        deadline = Infinity;
        fire();
      }, Math.min(ms, MAX_TIMEOUT_MS));
    },
    /** @param {number} time */
    by: function (time) {
      if (time < deadline) {
        timer.set(time - clock.now());
      }
    },
    stop: function () {
      clock.clearTimeout(id);
      deadline = Infinity;
    },
    isRunning: function () {
      return deadline < Infinity;
    }
  };
  return timer;
}
