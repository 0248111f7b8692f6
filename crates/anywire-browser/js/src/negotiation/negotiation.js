/**
 * Owns which leg is tried when, and which one carries the session, as plain state
 * (NEGOTIATION.md; the same rooms as negotiation.rs).
 * Leaves to negotiator.js the clock, and to do what was decided: feed one input, then take all decisions.
 *
 *   idle --start--> started --attached--> attached --> the carrier
 *    ^                 |                     |
 *    '-----------------'---- lost, drop -----'
 */

import { exec, max, min, own, round } from '../language.js';
import { POLL, WEBSOCKET } from '../transport.js';
import {
  clamp, createLegState, GONE_MS, GRACE_MS, isAttached, MAX_DELAY_MS, MIN_DELAY_MS, MIN_PROOF_MS, NOT_HERE_MS,
  pauseMs, SILENCE_MS, STEADY_MS,
} from './leg-state.js';
import { createTrace } from './trace.js';

/** The answer of a server that knows no such endpoint, as whatFailed has it. */
var MISSING = /^http (40[45]|501)$/;

/**
 * @param {NegotiationSettings} settings
 * @param {Record<TransportName, boolean>} allowed which legs there are
 * @param {string} memory of this origin: ms, 'fails' or ''
 * @returns {Negotiation}
 */
export function createNegotiation(settings, allowed, memory) {
  var websocket = createLegState(WEBSOCKET, allowed.websocket);
  var poll = createLegState(POLL, allowed.poll);
  var legs = { websocket: websocket, poll: poll };
  var trace = createTrace();
  // The time of the input that is being handled.
  var now = 0;
  var isOpen = false;
  var lastGeneration = 2;
  // What polling attaches with. The first is below the WebSocket's, which is rather kept; 0 asks
  // for one above all others.
  var pollGeneration = 1;
  // Before this the server wants no attempt.
  var notBefore = 0;
  // The application wants no session any more: a leg that may have opened one goes on, no other starts.
  var isLeaving = false;
  // Since when exchanges are answered as by a server that has no Anywire, or 0.
  var missingSince = 0;
  // Since the network changed.
  var wasProven = false;
  // Whether nothing carries the session since the first turn, so that legs are tried at turns alone (NEGOTIATION §12.4).
  var hasTurns = false;

  // What is to come when, and what it does then, in this order.
  /** @type {Due} */
  var due = {};
  /** @type {{ [what: string]: () => void }} */
  var passed = {
    giveUp_: function () {
      decide(['give up']);
    },
    grace_: dropSilent,
    deadline_: function () {
      dropSilent();
      inputs.stalled();
    },
    steady_: function () {
      websocket.failures_ = 0;
    },
    // The next start of each leg.
    websocket: startWebSocket,
    poll: startPoll
  };

  /** @type {Inputs} */
  var inputs = {
    start: function () {
      if (!websocket.isAllowed_ && !poll.isAllowed_) {
        passed.giveUp_();
        return;
      }
      // One that follows another is tried at turns without an end.
      due.giveUp_ = hasTurns ? Infinity : now + settings.connectTimeoutMs;
      startWebSocket();
      var delayMs = !websocket.phase_ || memory === 'fails' ? 0 :
        memory ? clamp(3 * +memory, MIN_DELAY_MS, MAX_DELAY_MS) : settings.httpDelayMs;
      due.poll = now + delayMs;
      if (!delayMs) {
        startPoll();
      }
    },

    turn: function () {
      hasTurns = true;
      if (isLeaving || now < notBefore) {
        return;
      }
      // It has had all the time since the turn before.
      if (/** @type {number} */ (due.deadline_) < now + GRACE_MS) {
        dropSilent();
      }
      if (isOpen) {
        startWebSocket();
        startPoll();
      } else {
        inputs.start();
      }
    },

    connected: function () {
      if (websocket.phase_ === 'connect' && !websocket.generation_) {
        enter('probe');
        decide(['prove', WEBSOCKET]);
      }
    },

    proven: function (leg) {
      var isProbe = leg.phase_ === 'probe';
      if (isProbe || leg.phase_ === 'proof') {
        note(leg, 'ok');
        leg.isProven_ = true;
        if (isProbe) {
          enter('attach');
          decide(['attach', WEBSOCKET, ++lastGeneration]);
        } else {
          leg.phase_ = 'carry';
          websocketProven(leg);
        }
      }
    },

    attached: function (leg) {
      if (!leg.phase_ || isAttached(leg)) {
        return;
      }
      note(leg, 'ok');
      isOpen = true;
      missingSince = 0;
      delete due.giveUp_;
      leg.attachedAfter_ = now - leg.startedAt_;
      leg.phase_ = leg.isProven_ ? 'carry' : 'proof';
      if (leg === websocket) {
        due.deadline_ = now + clamp(2 * leg.attachedAfter_, MIN_PROOF_MS, SILENCE_MS);
        delete due.grace_;
        delete due.poll;
        drop(poll, 'dropped');
        poll.failures_ = pollGeneration = 0;
      } else if (isAttached(websocket)) {
        drop(websocket, 'stalled');
        retryLater(websocket);
      }
      carry(leg.transport_);
      if (websocket.failures_) {
        rememberFailure();
      }
      if (leg.isProven_) {
        websocketProven(leg);
      } else {
        decide(['prove', leg.transport_]);
      }
    },

    stalled: function () {
      if (isAttached(websocket) && !websocket.isStalled_) {
        websocket.isStalled_ = true;
        if (!own(due, POLL)) {
          startPoll();
        }
      }
    },

    heard: function () {
      if (websocket.isStalled_) {
        websocket.isStalled_ = false;
        delete due.poll;
      }
    },

    held: function () {
      poll.failures_ = missingSince = 0;
    },

    lost: function (leg, outcome, detail, retryAfterMs) {
      if (leg.phase_) {
        note(leg, outcome, detail);
        notBefore = max(notBefore, now + (retryAfterMs || 0));
        if (leg === websocket) {
          websocketLost();
        } else {
          var missing = exec(MISSING, detail);
          missingSince = missing ? missingSince || now : 0;
          pollLost(outcome);
          if (missing) {
            handleMissing(missing[1]);
          }
        }
      }
    },

    returned: function (_, hasNewNetwork) {
      if (hasNewNetwork) {
        wasProven = false;
        decide(['forget']);
      }
      websocket.failures_ = poll.failures_ = 0;
      if (isAttached(websocket)) {
        decide(['check', WEBSOCKET]);
      } else {
        startWebSocket();
      }
      if (drop(poll, 'dropped', 'returned') || isOpen && !negotiation.carrier_) {
        startPoll();
      }
    },

    leave: function () {
      isLeaving = true;
      // Dropped while it connects, a WebSocket may be about to open a session: until the budget ends it may show.
      due = { giveUp_: now + settings.connectTimeoutMs };
      mayNotStart();
    },

    allow: function (leg, isAllowed) {
      leg.isAllowed_ = isAllowed;
      if (!isAllowed) {
        if (drop(leg, 'dropped', 'forbidden')) {
          (leg === websocket ? websocketLost : detached)(leg);
        }
      } else if (leg === websocket) {
        startWebSocket();
      } else if (!negotiation.carrier_) {
        startPoll();
      }
    },

    timeout: function () {
      for (var what in passed) {
        if (/** @type {number} */ (own(due, what)) <= now) {
          delete due[what];
          passed[what]();
        }
      }
    }
  };

  /** @type {Negotiation} */
  var negotiation = {
    carrier_: '',
    decisions_: [],
    trace_: trace,

    feed_: function (time, input, leg, a, b, c) {
      now = time;
      // Each takes what its input has.
      /** @type {InputHandler} */ (inputs[input])(legs[leg || WEBSOCKET], a, b, c);
    },

    gone_: function () {
      pollGeneration = 0;
      return lastGeneration;
    },

    timeout_: function () {
      var time = Infinity;
      for (var what in passed) {
        var at = /** @type {number} */ (own(due, what));
        time = at < time ? at : time;
      }
      return time;
    }
  };

  /** @param {LegState} leg */
  function websocketProven(leg) {
    if (leg === websocket) {
      delete due.deadline_;
      websocket.isStalled_ = false;
      wasProven = true;
      due.steady_ = now + STEADY_MS;
      decide(['remember', round(websocket.attachedAfter_)]);
    }
  }

  function websocketLost() {
    var isUnproven = !websocket.isProven_;
    retryLater(websocket);
    detached(websocket);
    if (isUnproven) {
      rememberFailure();
    }
    // After a failure of its own, polling waits for its own time.
    if (!poll.failures_ || !own(due, POLL)) {
      startPoll();
    }
  }

  /** @param {string} outcome */
  function pollLost(outcome) {
    idle(poll);
    if (outcome === 'superseded') {
      pollGeneration = 0;
      if (websocket.phase_) {
        poll.failures_ = 0;
        if (!isAttached(websocket)) {
          due.grace_ = now + GRACE_MS;
        }
        // What follows says who carries on: within the grace that is no loss to tell of.
        return;
      }
      if (!poll.failures_) {
        // By a WebSocket that is lost: its generation is in the way once.
        poll.failures_ = 1;
        detached(poll);
        startPoll();
        return;
      }
    }
    detached(poll);
    if (!isAttached(websocket) || websocket.isStalled_) {
      retryLater(poll);
    }
  }

  /** @param {string} status */
  function handleMissing(status) {
    var last = missingSince + (isOpen ? GONE_MS : NOT_HERE_MS);
    if (now < last) {
      // Where it is open no later than then, else no earlier.
      due.poll = isOpen ? max(notBefore, min(/** @type {number} */ (due.poll), last)) :
        max(/** @type {number} */ (due.poll), last);
    } else if (isOpen ? !isAttached(websocket) : websocket.failures_ || !websocket.isAllowed_) {
      decide(['missing', status]);
    }
  }

  function dropSilent() {
    if (!isAttached(websocket) && drop(websocket, 'silent')) {
      websocketLost();
    }
  }

  /** Nothing starts before its time: the application may be asked for a credential. */
  function mayNotStart() {
    if (isLeaving && !websocket.phase_ && !poll.phase_) {
      passed.giveUp_();
    }
    return isLeaving || !(isOpen || due.giveUp_);
  }

  function startWebSocket() {
    if (!mayNotStart() && websocket.isAllowed_ && !websocket.phase_) {
      // One that starts when the session is open offers nothing, and attaches when it is proven.
      start(websocket, isOpen ? 0 : websocket.hasStarted_ ? ++lastGeneration : lastGeneration);
      enter('connect');
    }
  }

  function startPoll() {
    if (!mayNotStart() && poll.isAllowed_ && !poll.phase_) {
      delete due.grace_;
      // It is below the WebSocket's, which wins the race, or none came after it. One that is lost may
      // have attached all the same, and the server does not know that it is lost.
      var isRace = websocket.phase_ ? !isAttached(websocket) : !websocket.hasStarted_;
      pollGeneration = (isRace || pollGeneration === lastGeneration) && pollGeneration ||
        ++lastGeneration;
      start(poll, pollGeneration);
    }
  }

  /**
   * @param {LegState} leg
   * @param {number} generation
   */
  function start(leg, generation) {
    delete due[leg.transport_];
    leg.phase_ = 'connect';
    leg.generation_ = generation;
    leg.startedAt_ = now;
    leg.hasStarted_ = true;
    decide(['start', leg.transport_, generation]);
  }

  /**
   * A phase of the WebSocket before it is attached.
   * @param {string} phase
   */
  function enter(phase) {
    websocket.phase_ = phase;
    due.deadline_ = now + SILENCE_MS;
  }

  /**
   * @param {LegState} leg
   * @param {string} outcome
   * @param {string} [detail]
   * @returns {boolean | undefined} whether it was under way
   */
  function drop(leg, outcome, detail) {
    if (leg.phase_) {
      note(leg, outcome, detail);
      idle(leg);
      decide(['drop', leg.transport_]);
      return true;
    }
  }

  /**
   * How often it failed is kept.
   * @param {LegState} leg
   */
  function idle(leg) {
    leg.phase_ = '';
    leg.isProven_ = leg.isStalled_ = false;
    if (leg === websocket) {
      delete due.deadline_;
      delete due.steady_;
    }
  }

  /** @param {TransportName | ''} transport */
  function carry(transport) {
    if (negotiation.carrier_ !== transport) {
      negotiation.carrier_ = transport;
      decide(['carrier', transport]);
      hasTurns = false;
      if (due.websocket === Infinity) {
        // It waited for a turn.
        retryLater(websocket);
      }
    }
  }

  /** @param {LegState} leg */
  function detached(leg) {
    if (negotiation.carrier_ === leg.transport_) {
      carry('');
    }
  }

  /** A WebSocket that was not proven here has failed where polling works. */
  function rememberFailure() {
    if (!wasProven && negotiation.carrier_ === POLL) {
      decide(['remember', 'fails']);
    }
  }

  /**
   * The leg has failed.
   * @param {LegState} leg
   */
  function retryLater(leg) {
    idle(leg);
    var pauseEnd = now + pauseMs(settings, ++leg.failures_);
    due[leg.transport_] = hasTurns ? Infinity : max(notBefore, pauseEnd);
  }

  /**
   * @param {LegState} leg
   * @param {string} outcome
   * @param {string | number} [detail]
   */
  function note(leg, outcome, detail) {
    trace.note_(leg.transport_, leg.phase_, now - leg.startedAt_, outcome, detail);
  }

  /** @param {Decision} decision */
  function decide(decision) {
    negotiation.decisions_[negotiation.decisions_.length] = decision;
  }

  return negotiation;
}
