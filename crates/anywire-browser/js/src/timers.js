/**
 * Owns one deadline at a time.
 * Leaves the time itself to the clock, which is a parameter everywhere.
 */

import { min } from './language.js';

/** Browsers fire at once where a timer is longer than 24 days; this is half of that. */
var MAX_TIMEOUT_MS = 1e9;

/**
 * @param {Clock} clock
 * @param {() => void} fire
 * @returns {Timer}
 */
export function createTimer(clock, fire) {
  /** @type {any} */
  var id;
  // `Infinity` while it does not run.
  var deadline = Infinity;
  // Called as methods of another object, the browser's own would refuse.
  var later = clock.setTimeout;
  var cancel = clock.clearTimeout;
  var timer = {
    /** @param {number} ms */
    set_: function (ms) {
      timer.stop_();
      deadline = clock.now() + ms;
      id = later(function () {
        deadline = Infinity;
        fire();
      }, min(ms > 0 ? ms : 0, MAX_TIMEOUT_MS));
    },
    /** @param {number} time */
    by_: function (time) {
      if (time < deadline) {
        timer.set_(time - clock.now());
      }
    },
    stop_: function () {
      cancel(id);
      deadline = Infinity;
    }
  };
  return timer;
}

/**
 * When the caller has had its turn.
 * @param {Clock} clock
 * @param {() => void} work
 */
export function soon(clock, work) {
  createTimer(clock, work).set_(0);
}
