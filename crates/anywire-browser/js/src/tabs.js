/**
 * Owns what the sessions of all tabs leave to each other, since an engine has six connections to an origin: four hold
 * one, those of the pages seen last, and what is not held goes one at a time (NEGOTIATION §11).
 * Leaves to poll.js what is held, and how a session goes on that holds nothing.
 *
 * A session that HTTP carries has a name that all tabs can list: a lock, which ends with its tab, or else a lease. Names
 * sort by when their pages were seen, so all tabs know who has the turns, and none has to give one.
 */

import { exec, indexOf, PagePromise } from './language.js';
import root from './root.js';
import { createTimer } from './timers.js';
import { ignore } from './transport.js';

var TURNS = 4;
/** The session that had the turn hears of it and lets go, before another takes it. */
var HANDOVER_MS = 100;
/** How often a session looks that has no turn, or a lease. */
var LOOK_MS = 1000;
var LEASE_MS = 3000;
/** An engine that has not answered by then is not asked again. */
var SILENCE_MS = 1000;
/** How long an exchange waits for others, and where there is no turn. */
var WAIT_MS = 500;
var TURNLESS_WAIT_MS = 1000;

var Channel = root.BroadcastChannel;

/** What makes tabs known to each other, where there are some: not in Node. */
export var tabsEngine = root.location && root.addEventListener && {
  // A worker is not seen.
  locks: Channel && root.navigator.locks, Channel: Channel, window: root, document: root.document || { hidden: true },
  performance: root.performance || {}
};

/**
 * @param {Settings} settings
 * @param {Endpoints} endpoints
 * @param {Session} session
 * @param {Http} http
 * @param {() => void} turned a turn has begun or ended: what carries down is to end, and to follow anew
 * @returns {Tabs}
 */
export function createTabs(settings, endpoints, session, http, turned) {
  var engine = /** @type {TabsEngine} */ (settings.tabs === true ? tabsEngine : settings.tabs);
  var isOff = !engine;
  var locks = engine && engine.locks;
  var prefix = 'anywire tab ' + endpoints.origin + ' ';
  // Until the first look, which comes before a second exchange, an exchange takes the care of a crowd.
  var isCrowded = !!locks;
  // Nothing, until that is known.
  /** @type {boolean | undefined} */
  var hasTurn = isOff || undefined;
  // Since when there is a turn to be taken, or 0.
  var freeAt = 0;
  var name = '';
  var wasSeen = false;
  /** @type {any} */
  var channel;
  /** @type {Record<string, string | number>} */
  var store;
  // Gives the own name up.
  var release = ignore;
  // Ends what has the lock of exchanges.
  var free = ignore;
  // Begins what waits for it.
  var begin = ignore;
  // A tab has had it for too long.
  var isStuck = false;
  var timer = createTimer(settings, function () {
    (hasTurn === undefined ? fail : look)();
  });

  /** @param {boolean} isHolding */
  function turn(isHolding) {
    if (hasTurn !== isHolding) {
      hasTurn = isHolding;
      turned();
    }
  }

  /** The tabs cannot know each other, or need not: all goes on as if there were one. */
  function fail() {
    if (!isOff) {
      leave();
      if (name) {
        turn(true);
      }
      hasTurn = true;
    }
  }

  /** Looks who is there. */
  function look() {
    if (isOff) {
      return;
    }
    var performance = engine.performance;
    var entries = performance.getEntriesByName ? performance.getEntriesByName(endpoints.poll) : [];
    /** @type {Array<{ name: string }>} */
    var held = [];
    if (entries.length && exec(/^h[23]/, entries[entries.length - 1].nextHopProtocol)) {
      // One connection bears them all.
      fail();
    } else if (name && wasSeen === !!engine.document.hidden) {
      enter();
    } else if (locks) {
      locks.query().then(function (/** @type {{ held: Array<{ name: string }> }} */ state) {
        count(state.held);
      }, fail);
    } else {
      try {
        store = settings.localStorage || engine.window.localStorage;
        var now = settings.date();
        if (name && !(+store[name] > now + LEASE_MS / 2)) {
          store[name] = now + LEASE_MS;
        }
        for (var lease in store) {
          if (!indexOf(lease, prefix)) {
            // A clock that was set back makes no lease last.
            if (+store[lease] >= now && +store[lease] <= now + LEASE_MS) {
              held[held.length] = { name: lease };
            } else {
              delete store[lease];
            }
          }
        }
      } catch (error) {
        fail();
        return;
      }
      count(held);
    }
  }

  /** @param {Array<{ name: string }>} held the names of all that live, and of other things */
  function count(held) {
    var now = settings.now();
    var above = 0;
    var others = 0;
    var isThere = false;
    for (var i = 0; i < held.length; i++) {
      var other = held[i].name;
      if (other === name) {
        isThere = !isOff;
      } else if (!indexOf(other, prefix) && indexOf(other, session.id_) < 0) {
        others++;
        above += other > name ? 1 : 0;
      }
    }
    isCrowded = !isOff && others >= TURNS;
    if (!isCrowded) {
      begin();
    }
    if (isThere) {
      freeAt = above < TURNS ? freeAt || now : 0;
      var isHolding = !!freeAt && (hasTurn || !isCrowded || now >= freeAt + HANDOVER_MS);
      timer.stop_();
      if (isCrowded || !locks) {
        timer.set_(isHolding || !freeAt ? LOOK_MS : HANDOVER_MS);
      }
      turn(isHolding);
    }
  }

  /** Takes a name, in place of another. */
  function enter() {
    var last = release;
    var isSeen = !engine.document.hidden;
    if (isSeen || wasSeen || !engine.seenAt) {
      // A page that is not seen any more was seen until now.
      engine.seenAt = settings.date();
    }
    wasSeen = isSeen;
    var own = prefix + (isSeen ? 1 : 0) + engine.seenAt + ' ' + session.id_;
    name = own;
    if (locks) {
      locks.request(own, function () {
        if (!isOff && own === name) {
          // First: what follows may take another name.
          var held = new PagePromise(function (/** @type {() => void} */ resolve) {
            release = resolve;
          });
          // A tab that sees both names for a moment leaves a turn too many.
          last();
          channel.postMessage(0);
          look();
          return held;
        }
      }).then(ignore, fail);
    } else {
      last();
      release = function () {
        // An engine may have no storage after all.
        if (store) {
          delete store[own];
        }
      };
      look();
    }
  }

  /** @param {StorageEvent} event */
  function stored(event) {
    // A lease that was renewed is no news, nor what is not one. Where all is deleted there is no key.
    if (!locks && !indexOf(event.key || prefix, prefix) && !(event.oldValue && event.newValue)) {
      look();
    }
  }

  /** The leg has ended, or the page goes, which is not kept to go back to while it has locks or channels. */
  function leave() {
    if (!isOff) {
      isOff = true;
      isCrowded = false;
      timer.stop_();
      release();
      free();
      listen('remove');
      if (channel) {
        channel.postMessage(0);
        channel.close();
      }
    }
  }

  /** @param {string} what */
  function listen(what) {
    engine.window[what + 'EventListener']('pagehide', leave);
    engine.window[what + 'EventListener']('storage', stored);
  }

  look();

  return {
    leave_: leave,

    hasTurn_: function () {
      return hasTurn;
    },

    isCrowded_: function () {
      return isCrowded;
    },

    enter_: function () {
      if (isOff) {
        return false;
      }
      timer.set_(SILENCE_MS);
      try {
        if (locks) {
          channel = new engine.Channel(prefix);
          channel.onmessage = look;
        }
        listen('add');
        enter();
        return true;
      } catch (error) {
        fail();
        return false;
      }
    },

    exchange_: function (settings, endpoints, encoding, body, patienceMs, answered, failed) {
      /** @type {(() => void) | undefined} */
      var stop;
      var isOver = false;
      var hasLock = false;
      var wait = createTimer(settings, function () {
        isStuck = true;
        start();
      });

      function start() {
        if (!stop && !isOver) {
          wait.stop_();
          stop = http.exchange_(settings, endpoints, encoding, body, patienceMs, over(answered), over(failed));
        }
      }

      /**
       * @template {Function} T
       * @param {T} callback
       * @returns {T}
       */
      function over(callback) {
        return /** @type {any} */ (function (/** @type {any} */ a, /** @type {any} */ b, /** @type {any} */ c, /** @type {any} */ d) {
          end();
          callback(a, b, c, d);
        });
      }

      function end() {
        isOver = true;
        wait.stop_();
        if (hasLock) {
          free();
        }
      }

      // A page that closes may be about to go.
      if (locks && isCrowded && !isStuck && !session.closing_) {
        wait.set_(hasTurn === false ? TURNLESS_WAIT_MS : WAIT_MS);
        begin = start;
        locks.request(' ' + prefix, function () {
          isStuck = false;
          start();
          if (!isOver && !isOff) {
            hasLock = true;
            return new PagePromise(function (/** @type {() => void} */ resolve) {
              free = resolve;
            });
          }
        }).then(ignore, start);
      } else {
        start();
      }
      return function () {
        end();
        if (stop) {
          stop();
        }
      };
    }
  };
}
