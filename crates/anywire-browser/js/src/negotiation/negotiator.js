/**
 * Owns what stands between a negotiation and the world: it feeds it what the legs, the page and the
 * clock do, and does what it decides.
 * Leaves each decision to negotiation.js, and to the legs how they carry the session.
 */

import { has, own, splice } from '../language.js';
import { createTimer } from '../timers.js';
import { ignore, POLL, WEBSOCKET } from '../transport.js';
import { createNegotiation } from './negotiation.js';

/**
 * @param {Session} session
 * @param {LegMakers} makers
 * @param {Record<TransportName, boolean>} usable which legs there are
 * @param {Settings} settings
 * @param {OriginMemory} memory
 * @param {(transport: string) => void} ontransport what carries the session from now on
 * @param {(status: string) => void} onmissing there is no Anywire at the address
 * @returns {Negotiator}
 */
export function createNegotiator(session, makers, usable, settings, memory, ontransport, onmissing) {
  var isStopped = false;
  // What the page says as it goes, from then on until it is back. Meanwhile nothing begins, or the server would take it
  // for a return: what is heard waits.
  /** @type {string | undefined} */
  var leaving;
  /** @type {PassedInput[]} */
  var unheard = [];
  // Each from its first start on, and no decision is of a leg that never was.
  var legs = /** @type {{ websocket: WebSocketLeg, poll: Leg }} */ ({});
  var negotiation = createNegotiation(settings, usable, memory.recall_());
  var timer = createTimer(settings, function () {
    feed('timeout');
  });
  var expiry = createTimer(settings, session.expire_);

  // What is not asked of the leg itself.
  /** @type {Record<string, Deed>} */
  var deeds = {
    start: function (/** @type {TransportName} */ transport, generation) {
      var leg = makers[transport](generation, feed, negotiation.trace_);
      legs[transport] = /** @type {WebSocketLeg} */ (leg);
      leg.start_();
    },
    carrier: function (/** @type {TransportName | ''} */ transport) {
      session.awaitGrowth_();
      expiry.stop_();
      if (!transport) {
        // From now on: when the server's window began, only the server knows.
        expiry.set_(session.limits_.resumeWindowMs);
      }
      ontransport(transport || 'reconnecting');
    },
    missing: onmissing,
    remember: memory.remember_,
    forget: memory.forget_,
    'give up': function () {
      // The caller may not have had its turn yet.
      expiry.set_(0);
    }
  };

  /**
   * What the application does meanwhile, in an event, is fed and drained within; the order holds.
   * @type {(...input: PassedInput) => void}
   */
  function feed(input, leg, a, b, c) {
    if (isStopped) {
      return;
    }
    if (leaving !== undefined) {
      if (input !== 'returned') {
        unheard[unheard.length] = [input, leg, a, b, c];
        return;
      }
      leaving = undefined;
      for (var i = 0; i < unheard.length; i++) {
        feed.apply(null, unheard[i]);
      }
      unheard = [];
    }
    negotiation.feed_(settings.now(), input, leg, a, b, c);
    while (negotiation.decisions_.length && !isStopped) {
      act(/** @type {Decision} */ (splice(negotiation.decisions_, 0, 1)[0]));
    }
    if (!isStopped) {
      timer.set_(negotiation.timeout_() - settings.now());
      if (negotiation.carrier_ === WEBSOCKET) {
        legs.websocket.report_(negotiation.trace_);
      }
    }
  }

  /** Again with all that the server has not got, when the page still sends or closes. */
  function leave() {
    var leg = legs[negotiation.carrier_ || POLL];
    if (!isStopped && leg) {
      leg.leave_(/** @type {string} */ (leaving), negotiation.gone_());
    }
  }

  /** @param {Decision} decision */
  function act(decision) {
    var what = decision[0];
    // Each deed takes what its decision has.
    var object = /** @type {never} */ (decision[1]);
    (own(deeds, what) || /** @type {Record<string, Deed>} */ (legs[object])[what])(
      object, /** @type {number} */ (decision[2]));
  }

  return {
    negotiation_: negotiation,
    feed_: feed,

    transmit_: function () {
      if (leaving !== undefined && negotiation.carrier_ !== WEBSOCKET) {
        leave();
      } else if (!isStopped && negotiation.carrier_) {
        legs[negotiation.carrier_].transmit_();
      }
    },

    renew_: function () {
      var carrier = negotiation.carrier_;
      if (carrier === WEBSOCKET && !session.renewal_) {
        // Without a credential it is the request that counts: an exchange beside the WebSocket.
        makers.poll(negotiation.gone_(), ignore, negotiation.trace_).renew_();
      } else if (carrier) {
        legs[carrier].renew_();
      }
    },

    expire_: expiry.set_,

    stall_: function () {
      // What an exchange brings shows when all of it has come.
      if (negotiation.carrier_ === WEBSOCKET) {
        legs.websocket.drop();
        feed('lost', WEBSOCKET, 'stalled');
      }
    },

    leave_: function (content) {
      if (session.canLeave_) {
        leaving = content;
        leave();
      }
    },

    stop_: function (code, farewell) {
      isStopped = true;
      timer.stop_();
      expiry.stop_();
      for (var transport in legs) {
        if (has(legs, transport)) {
          legs[/** @type {TransportName} */ (transport)].drop(transport, code, farewell);
        }
      }
    }
  };
}
