/**
 * Owns which leg is tried when, and which one carries the session, as plain state
 * (NEGOTIATION.md; the same rooms as negotiation.rs).
 * Leaves to negotiator.js the clock, and to do what was decided: feed one input, then take all decisions.
 *
 *   idle --start--> started --attached--> attached --> the carrier
 *    ^                 |                     |
 *    '-----------------'---- lost, drop -----'
 */

import { POLL, WEBSOCKET } from '../transport.js';
import {
  clamp, createLegState, GRACE_MS, isAttached, MAX_DELAY_MS, MIN_DELAY_MS, MIN_PROOF_MS, SILENCE_MS, STEADY_MS,
} from './leg-state.js';
import { createTrace } from './trace.js';

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
  // Since the network changed.
  var wasProven = false;

  // What is to come when, and what it does then, in this order.
  /** @type {Due} */
  var due = {};
  /** @type {{ [what: string]: () => void }} */
  var passed = {
    giveUp: function () {
      decide(['give up']);
    },
    grace: dropSilent,
    deadline: function () {
      dropSilent();
      inputs.stalled();
    },
    steady: function () {
      websocket.failures = 0;
    },
    // The next start of each leg.
    websocket: startWebSocket,
    poll: startPoll
  };

  /** @type {Inputs} */
  var inputs = {
    start: function () {
      if (!websocket.isAllowed && !poll.isAllowed) {
        passed.giveUp();
        return;
      }
      due.giveUp = now + settings.connectTimeoutMs;
      startWebSocket();
      var delayMs = !websocket.phase || memory === 'fails' ? 0 :
        memory ? clamp(3 * +memory, MIN_DELAY_MS, MAX_DELAY_MS) : settings.httpDelayMs;
      due.poll = now + delayMs;
      if (!delayMs) {
        startPoll();
      }
    },

    connected: function () {
      if (websocket.phase === 'connect' && !websocket.generation) {
        enter('probe');
        decide(['prove', WEBSOCKET]);
      }
    },

    proven: function (leg) {
      var isProbe = leg.phase === 'probe';
      if (isProbe || leg.phase === 'proof') {
        note(leg, 'ok');
        leg.isProven = true;
        if (isProbe) {
          enter('attach');
          decide(['attach', WEBSOCKET, ++lastGeneration]);
        } else {
          leg.phase = 'carry';
          websocketProven(leg);
        }
      }
    },

    attached: function (leg) {
      if (!leg.phase || isAttached(leg)) {
        return;
      }
      note(leg, 'ok');
      isOpen = true;
      delete due.giveUp;
      leg.attachedAfter = now - leg.startedAt;
      leg.phase = leg.isProven ? 'carry' : 'proof';
      if (leg === websocket) {
        due.deadline = now + clamp(2 * leg.attachedAfter, MIN_PROOF_MS, SILENCE_MS);
        delete due.grace;
        delete due.poll;
        drop(poll, 'dropped');
        poll.failures = pollGeneration = 0;
      } else if (isAttached(websocket)) {
        drop(websocket, 'stalled');
        retryLater(websocket);
      }
      carry(leg.transport);
      if (websocket.failures) {
        rememberFailure();
      }
      if (leg.isProven) {
        websocketProven(leg);
      } else {
        decide(['prove', leg.transport]);
      }
    },

    stalled: function () {
      if (isAttached(websocket) && !websocket.isStalled) {
        websocket.isStalled = true;
        if (!due.poll) {
          startPoll();
        }
      }
    },

    heard: function () {
      if (websocket.isStalled) {
        websocket.isStalled = false;
        delete due.poll;
      }
    },

    held: function () {
      poll.failures = 0;
    },

    lost: function (leg, outcome, detail, retryAfterMs) {
      if (leg.phase) {
        note(leg, outcome, detail);
        notBefore = Math.max(notBefore, now + (retryAfterMs || 0));
        if (leg === websocket) {
          websocketLost();
        } else {
          pollLost(outcome);
        }
      }
    },

    returned: function (_, hasNewNetwork) {
      if (hasNewNetwork) {
        wasProven = false;
        decide(['forget']);
      }
      websocket.failures = poll.failures = 0;
      if (isAttached(websocket)) {
        decide(['check', WEBSOCKET]);
      } else {
        startWebSocket();
      }
      if (drop(poll, 'dropped', 'returned') || isOpen && !negotiation.carrier) {
        startPoll();
      }
    },

    allow: function (leg, isAllowed) {
      leg.isAllowed = isAllowed;
      if (!isAllowed) {
        if (drop(leg, 'dropped', 'forbidden')) {
          (leg === websocket ? websocketLost : detached)(leg);
        }
      } else if (leg === websocket) {
        startWebSocket();
      } else if (!negotiation.carrier) {
        startPoll();
      }
    },

    timeout: function () {
      for (var what in passed) {
        if (/** @type {number} */ (due[what]) <= now) {
          delete due[what];
          passed[what]();
        }
      }
    }
  };

  /** @type {Negotiation} */
  var negotiation = {
    carrier: '',
    decisions: [],
    trace: trace,

    feed: function (time, input) {
      now = time;
      // Each takes what its input has; only their types cannot say so.
      /** @type {InputHandler} */ (inputs[input[0]])(legs[input[1] || WEBSOCKET], input[2], input[3], input[4]);
    },

    timeout: function () {
      var time = Infinity;
      for (var what in passed) {
        var at = /** @type {number} */ (due[what]);
        time = at < time ? at : time;
      }
      return time;
    }
  };

  /** @param {LegState} leg */
  function websocketProven(leg) {
    if (leg === websocket) {
      delete due.deadline;
      websocket.isStalled = false;
      wasProven = true;
      due.steady = now + STEADY_MS;
      decide(['remember', Math.round(websocket.attachedAfter)]);
    }
  }

  function websocketLost() {
    var isUnproven = !websocket.isProven;
    retryLater(websocket);
    detached(websocket);
    if (isUnproven) {
      rememberFailure();
    }
    // After a failure of its own, polling waits for its own time.
    if (!poll.failures || !due.poll) {
      startPoll();
    }
  }

  /** @param {string} outcome */
  function pollLost(outcome) {
    idle(poll);
    if (outcome === 'superseded') {
      pollGeneration = 0;
      if (websocket.phase) {
        poll.failures = 0;
        if (!isAttached(websocket)) {
          due.grace = now + GRACE_MS;
        }
        // What follows says who carries on: within the grace that is no loss to tell of.
        return;
      }
      if (!poll.failures) {
        // By a WebSocket that is lost: its generation is in the way once.
        poll.failures = 1;
        detached(poll);
        startPoll();
        return;
      }
    }
    detached(poll);
    if (!isAttached(websocket) || websocket.isStalled) {
      retryLater(poll);
    }
  }

  function dropSilent() {
    if (!isAttached(websocket) && drop(websocket, 'silent')) {
      websocketLost();
    }
  }

  function startWebSocket() {
    if (websocket.isAllowed && !websocket.phase) {
      // One that starts when the session is open offers nothing, and attaches when it is proven.
      start(websocket, isOpen ? 0 : websocket.hasStarted ? ++lastGeneration : lastGeneration);
      enter('connect');
    }
  }

  function startPoll() {
    if (poll.isAllowed && !poll.phase) {
      delete due.grace;
      // It is below the WebSocket's, which wins the race, or none came after it. One that is lost may
      // have attached all the same, and the server does not know that it is lost.
      var isRace = websocket.phase ? !isAttached(websocket) : !websocket.hasStarted;
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
    delete due[leg.transport];
    leg.phase = 'connect';
    leg.generation = generation;
    leg.startedAt = now;
    leg.hasStarted = true;
    decide(['start', leg.transport, generation]);
  }

  /**
   * A phase of the WebSocket before it is attached.
   * @param {string} phase
   */
  function enter(phase) {
    websocket.phase = phase;
    due.deadline = now + SILENCE_MS;
  }

  /**
   * @param {LegState} leg
   * @param {string} outcome
   * @param {string} [detail]
   * @returns {boolean | undefined} whether it was under way
   */
  function drop(leg, outcome, detail) {
    if (leg.phase) {
      note(leg, outcome, detail);
      idle(leg);
      decide(['drop', leg.transport]);
      return true;
    }
  }

  /**
   * How often it failed is kept.
   * @param {LegState} leg
   */
  function idle(leg) {
    leg.phase = '';
    leg.isProven = leg.isStalled = false;
    if (leg === websocket) {
      delete due.deadline;
      delete due.steady;
    }
  }

  /** @param {TransportName | ''} transport */
  function carry(transport) {
    if (negotiation.carrier !== transport) {
      negotiation.carrier = transport;
      decide(['carrier', transport]);
    }
  }

  /** @param {LegState} leg */
  function detached(leg) {
    if (negotiation.carrier === leg.transport) {
      carry('');
    }
  }

  /** A WebSocket that was not proven here has failed where polling works. */
  function rememberFailure() {
    if (!wasProven && negotiation.carrier === POLL) {
      decide(['remember', 'fails']);
    }
  }

  /**
   * The leg has failed. With full jitter above a floor, clients that were cut off together do not
   * come back together.
   * @param {LegState} leg
   */
  function retryLater(leg) {
    var minMs = settings.backoff.minMs;
    var ceilingMs = Math.min(settings.backoff.maxMs, minMs * Math.pow(2, ++leg.failures));
    idle(leg);
    due[leg.transport] = Math.max(
      notBefore, now + minMs + settings.random() * Math.max(0, ceilingMs - minMs));
  }

  /**
   * @param {LegState} leg
   * @param {string} outcome
   * @param {string | number} [detail]
   */
  function note(leg, outcome, detail) {
    trace.note(leg.transport, leg.phase, now - leg.startedAt, outcome, detail);
  }

  /** @param {Decision} decision */
  function decide(decision) {
    negotiation.decisions.push(decision);
  }

  return negotiation;
}
