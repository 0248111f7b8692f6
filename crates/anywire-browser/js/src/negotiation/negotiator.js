/**
 * Owns what stands between a negotiation and the world: it feeds it what the legs, the page and the
 * clock do, and does what it decides.
 * Leaves each decision to negotiation.js, and to the legs how they carry the session.
 */

import { createTimer } from '../timers.js';
import { WEBSOCKET } from '../transport.js';
import { createNegotiation } from './negotiation.js';

/**
 * @param {Session} session
 * @param {(leg: string, generation: number, feed: Feed, trace: Trace) => Leg} newLeg
 * @param {{ [leg: string]: any }} usable which legs there are
 * @param {Settings} settings
 * @param {OriginMemory} memory
 * @param {(transport: string) => void} ontransport what carries the session from now on
 * @returns {Negotiator}
 */
export function createNegotiator(session, newLeg, usable, settings, memory, ontransport) {
  var isStopped = false;
  /** @type {{ [leg: string]: any }} */
  var legs = {};
  var negotiation = createNegotiation(settings, usable, memory.recall());
  var timer = createTimer(settings, function () {
    feed('timeout');
  });
  var expiry = createTimer(settings, session.expire);

  // What is not asked of the leg itself.
  /** @type {{ [what: string]: (object: any, generation: number) => void }} */
  var deeds = {
    start: function (leg, generation) {
      legs[leg] = newLeg(leg, generation, feed, negotiation.trace);
      legs[leg].start();
    },
    'carrier': function (leg) {
      expiry.stop();
      if (!leg) {
        // From now on: when the server's window began, only the server knows.
        expiry.set(session.limits.resumeWindowMs);
      }
      ontransport(leg || 'reconnecting');
    },
    remember: memory.remember,
    forget: memory.forget,
    'give up': function () {
      // The caller may not have had its turn yet.
      expiry.set(0);
    }
  };

  /**
   * What the application does meanwhile, in an event, is fed and drained within; the order holds.
   * @type {Feed}
   */
  function feed(input, leg, a, b, c) {
    if (isStopped) {
      return;
    }
    negotiation.feed(settings.now(), input, leg, a, b, c);
    while (negotiation.decisions.length && !isStopped) {
      var decision = negotiation.decisions.shift();
      (deeds[decision[0]] || legs[decision[1]][decision[0]])(decision[1], decision[2]);
    }
    if (!isStopped) {
      timer.set(negotiation.timeout() - settings.now());
      if (negotiation.carrier === WEBSOCKET) {
        legs.websocket.report(negotiation.trace);
      }
    }
  }

  return {
    trace: negotiation.trace.attempts,
    feed: feed,

    transmit: function () {
      if (!isStopped && negotiation.carrier) {
        legs[negotiation.carrier].transmit();
      }
    },

    stop: function (code, farewell) {
      isStopped = true;
      timer.stop();
      expiry.stop();
      for (var leg in legs) {
        legs[leg].drop(leg, code, farewell);
      }
    }
  };
}
