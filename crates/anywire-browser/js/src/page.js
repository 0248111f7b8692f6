/**
 * Owns what the page's life means to a session: that it was shown again, came online, changed its
 * network, slept, or goes (NEGOTIATION §7). There is no listener that keeps a page out of the
 * back-forward cache, such as one for `unload`.
 * Leaves what is to be done then to the negotiation.
 */

import { has } from './language.js';
import root from './root.js';
import { createTimer } from './timers.js';

var LOOK_MS = 5000;
/** The clock may be set by a little, a timer may be late by a little; beyond this is a sleep. */
var SLEEP_MS = 5000;

/**
 * @param {Settings} settings
 * @param {(hasNewNetwork: boolean) => void} returned called at most once in a turn
 * @param {(mayReturn: boolean) => void} gone
 * @returns {() => void} stops listening
 */
export function watchPage(settings, returned, gone) {
  var page = root.document;
  var connection = root.navigator && root.navigator.connection;
  var network = connection && connection.type;
  var hasNewNetwork = false;
  var hasReturned = false;
  var isGone = false;
  var lookedAt = 0;
  var jumpAt = 0;
  // What comes together in one turn is one return.
  var timer = createTimer(settings, function () {
    // While a machine sleeps the monotonic clock stands still, or else timers are late. Those of a
    // hidden page are late anyway; it is asked when it is shown. One that has gone and is seen has not gone.
    var isSeen = !(page && page.hidden);
    var isBack = hasReturned || settings.date() - settings.now() > jumpAt + SLEEP_MS ||
      isSeen && (isGone || settings.now() > lookedAt + LOOK_MS + SLEEP_MS);
    var isNew = hasNewNetwork;
    hasReturned = hasNewNetwork = false;
    isGone = isGone && !isBack;
    look();
    if (isBack) {
      returned(isNew);
    }
  });

  function look() {
    lookedAt = settings.now();
    jumpAt = settings.date() - lookedAt;
    timer.set_(LOOK_MS);
  }

  /** @param {any} event */
  function listener(event) {
    if (event.type === 'pagehide') {
      isGone = true;
      hasReturned = hasNewNetwork = false;
      look();
      gone(event.persisted);
      return;
    }
    var before = network;
    network = connection && connection.type;
    var isNew = network !== before || event.type === 'online';
    // A change may be of the line's speed alone. A page that is shown for the first time has lost
    // nothing, nor has one that is hidden.
    if (!(event.type === 'change' && !isNew || event.persisted === false || isGone && event.type !== 'pageshow' && page && page.hidden ||
        event.type === 'visibilitychange' && page.hidden)) {
      hasNewNetwork = hasNewNetwork || isNew;
      hasReturned = true;
      timer.set_(0);
    }
  }

  /** @param {string} method */
  function each(method) {
    /** @type {{ [type: string]: any }} */
    var targets = {
      online: root, offline: root, pageshow: root, pagehide: root,
      visibilitychange: page, resume: page,
      change: connection
    };
    for (var type in targets) {
      if (has(targets, type) && targets[type] && targets[type][method]) {
        targets[type][method](type, listener);
      }
    }
  }

  each('addEventListener');
  look();

  return function () {
    each('removeEventListener');
    timer.stop_();
  };
}
