/**
 * Owns what follows a session that has ended: when a new one is opened, and what the application is told of the old one
 * (NEGOTIATION §12). Only where an application names it.
 * Leaves the sessions to client.js.
 */

import { exec, own } from './language.js';
import { createTimer } from './timers.js';

var MAX_MS = 5000;
/** What says so, and that a new session did not open. */
var ANEW = /^(49[345]|10(06|1[23]))/;
/** What shows so soon after a turn shows at it: an attach takes that time. */
var AT_TURN_MS = 3000;

/**
 * Gives what the option of this name takes.
 * @param {object | true} [options] see index.d.ts
 * @returns {Reopen}
 */
export function reopen(options) {
  var given = options || {};
  var maxMs = own(given, 'maxMs') || MAX_MS;
  var tries = own(given, 'tries') || Infinity;
  var resends = !!own(given, 'resend');

  return function (settings, begin, open) {
    var left = tries;
    // The last turn: none while something carries a session, NaN before the first.
    /** @type {number | undefined} */
    var turnedAt;
    // What opens the new session, until something carries it; and why a credential is asked for.
    /** @type {Negotiator | null} */
    var session;
    var why = '';
    /** @type {ReopenMembers} */
    var members;
    var timer = createTimer(settings, function () {
      turnedAt = settings.now();
      timer.set_(maxMs);
      turn();
    });

    function turn() {
      if (session && --left < 0) {
        session.expire_(0);
      } else {
        open(why, 'turn');
      }
    }

    /** @param {unknown} isOver something carries the session, or nothing ever will */
    function stopTurns(isOver) {
      if (isOver) {
        timer.stop_();
        turnedAt = undefined;
      } else if (turnedAt === undefined) {
        turnedAt = NaN;
        timer.set_(settings.random() * maxMs);
      }
      return isOver;
    }

    return {
      carried_: function (isCarried) {
        if (stopTurns(isCarried) && session) {
          session = null;
          left = tries;
          why = '';
          return members;
        }
      },

      follows_: function (ended, code, reason) {
        if (stopTurns(!((session || ended.id_) && left > 0 && (exec(ANEW, code) ||
            code === 4966 && why !== 'expired' && typeof settings.authorize === 'function' && ended.credential_ !== null)))) {
          return;
        }
        why = code === 4966 || code === 4935 ? 'expired' : 'reopen';
        var isFirst = !session;
        if (isFirst) {
          members = { code: code, reason: reason, previous: ended.id_, unacknowledged: [], resent: resends };
          for (var i = 0; i < ended.outbox_.messages_.length; i++) {
            members.unacknowledged[i] = ended.outbox_.messages_[i].data_;
          }
        }
        session = begin(resends ? members.unacknowledged : []);
        if (isFirst && settings.now() - /** @type {number} */ (turnedAt) <= AT_TURN_MS) {
          turn();
        }
        return true;
      }
    };
  };
}
