/**
 * Owns turns: moments at which the engine has run all that awaited what went before, so that what waits gets one each.
 * Leaves to dispatch.js what is done in a turn. A timer is no turn: engines delay nested and hidden ones.
 */

import { take } from '#platform/take.js';
import { later, PagePromise, splice } from './language.js';
import root from './root.js';

/**
 * A message on a port is a task, and costs one. But the engine runs what waits after each listener too, so a task has
 * as many turns as it has listeners.
 */
var LISTENERS = 128;

var Channel = root.MessageChannel;
var immediate = root.setImmediate;
var resolved = PagePromise && PagePromise.resolve();
var then = resolved && take(resolved.then);
/** @type {MessagePort} */
var port;
/** @type {Array<() => boolean>} */
var pumps = [];
// Whether what awaited the last turn has run.
var isSettled = true;
// An engine that has run it between two listeners of a task does so always, and is asked no more.
var hasTurned = false;
var isProven = false;

function settle() {
  isSettled = true;
}

function turn() {
  if (pumps.length && isSettled) {
    isProven = isProven || hasTurned;
    hasTurned = true;
    if (!isProven) {
      isSettled = false;
      then(resolved, settle);
    }
    if (!pumps[0]()) {
      splice(pumps, 0, 1);
    }
  }
}

function goOn() {
  if (pumps.length) {
    next();
  }
}

function lastTurn() {
  turn();
  hasTurned = false;
  goOn();
}

/** A listener is called once a task: each must be another one. */
function another() {
  return function () {
    turn();
  };
}

function next() {
  if (immediate) {
    // Where there is one a port would keep the process alive, or there may be none.
    immediate(lastTurn);
  } else if (Channel) {
    if (!port) {
      var channel = new Channel();
      for (var i = LISTENERS; i--;) {
        channel.port1.addEventListener('message', i ? another() : lastTurn);
      }
      channel.port1.start();
      port = channel.port2;
    }
    port.postMessage(0);
  } else {
    later(lastTurn, 0);
  }
}

/**
 * Calls `pump` in turns until it returns false; at once, where nothing can be awaited.
 * @param {() => boolean} pump
 */
export function takeTurns(pump) {
  if (!PagePromise) {
    while (pump()) {}
    return;
  }
  pumps[pumps.length] = pump;
  if (pumps.length < 2) {
    next();
  }
}
