/**
 * Owns which leg is tried when, and which one carries the session, as plain state
 * (NEGOTIATION.md; the same rooms as negotiation.rs).
 * Leaves to negotiator.js the clock, and to do what was decided: feed one input, then take all
 * decisions.
 *
 *   idle --start--> started --attached--> attached --> the carrier
 *    ^                 |                     |
 *    '-----------------'---- lost, drop -----'
 */

import { POLL, WEBSOCKET } from '../transport.js';
import {
  clamp, createLine, GRACE_MS, isAttached, MAX_DELAY_MS, MIN_DELAY_MS, MIN_PROOF_MS, SILENCE_MS, STEADY_MS,
} from './leg-state.js';
import { createTrace } from './trace.js';

/**
 * @param {NegotiationSettings} settings
 * @param {{ [leg: string]: any }} allowed which legs there are
 * @param {string | number} memory of this origin: ms, 'fails' or ''
 * @returns {Negotiation}
 */
export function createNegotiation(settings, allowed, memory) {
  var websocket = createLine(WEBSOCKET, allowed.websocket);
  var poll = createLine(POLL, allowed.poll);
  /** @type {{ [leg: string]: Line }} */
  var lines = { websocket: websocket, poll: poll };
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
  /** @type {any} a Due */
  var due = {};
  /** @type {{ [what: string]: () => void }} */
  var passed = {
    giveUp: function () {
      decide('give up');
    },
    grace: dropSilent,
    deadline: function () {
      dropSilent();
      inputs.stalled(websocket);
    },
    steady: function () {
      websocket.failures = 0;
    },
    // The next start of each leg.
    websocket: startWebSocket,
    poll: startPoll
  };

  /** @type {{ [input: string]: (line: Line, a?: any, b?: any, c?: any) => void }} */
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
        decide('prove', WEBSOCKET);
      }
    },

    proven: function (line) {
      var isProbe = line.phase === 'probe';
      if (isProbe || line.phase === 'proof') {
        note(line, 'ok');
        line.isProven = true;
        if (isProbe) {
          enter('attach');
          decide('attach', WEBSOCKET, ++lastGeneration);
        } else {
          line.phase = 'carry';
          websocketProven(line);
        }
      }
    },

    attached: function (line) {
      if (!line.phase || isAttached(line)) {
        return;
      }
      note(line, 'ok');
      isOpen = true;
      delete due.giveUp;
      line.attachedAfter = now - line.startedAt;
      line.phase = line.isProven ? 'carry' : 'proof';
      if (line === websocket) {
        due.deadline = now + clamp(2 * line.attachedAfter, MIN_PROOF_MS, SILENCE_MS);
        delete due.grace;
        delete due.poll;
        drop(poll, 'dropped');
        poll.failures = pollGeneration = 0;
      } else if (isAttached(websocket)) {
        drop(websocket, 'stalled');
        retryLater(websocket);
      }
      carry(line.leg);
      if (websocket.failures) {
        rememberFailure();
      }
      if (line.isProven) {
        websocketProven(line);
      } else {
        decide('prove', line.leg);
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

    lost: function (line, outcome, detail, retryAfterMs) {
      if (line.phase) {
        note(line, outcome, detail);
        notBefore = Math.max(notBefore, now + (retryAfterMs || 0));
        if (line === websocket) {
          websocketLost();
        } else {
          pollLost(outcome);
        }
      }
    },

    returned: function (_, hasNewNetwork) {
      if (hasNewNetwork) {
        wasProven = false;
        decide('forget');
      }
      websocket.failures = poll.failures = 0;
      if (isAttached(websocket)) {
        decide('check', WEBSOCKET);
      } else {
        startWebSocket();
      }
      if (drop(poll, 'dropped', 'returned') || isOpen && !negotiation.carrier) {
        startPoll();
      }
    },

    allow: function (line, isAllowed) {
      line.isAllowed = isAllowed;
      if (!isAllowed) {
        if (drop(line, 'dropped', 'forbidden')) {
          (line === websocket ? websocketLost : detached)(line);
        }
      } else if (line === websocket) {
        startWebSocket();
      } else if (!negotiation.carrier) {
        startPoll();
      }
    },

    timeout: function () {
      for (var what in passed) {
        if (due[what] <= now) {
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

    feed: function (time, input, leg, a, b, c) {
      now = time;
      inputs[input](lines[leg || WEBSOCKET], a, b, c);
    },

    timeout: function () {
      var time = Infinity;
      for (var what in passed) {
        time = due[what] < time ? due[what] : time;
      }
      return time;
    }
  };

  /** @param {Line} line */
  function websocketProven(line) {
    if (line === websocket) {
      delete due.deadline;
      websocket.isStalled = false;
      wasProven = true;
      due.steady = now + STEADY_MS;
      decide('remember', Math.round(websocket.attachedAfter));
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
   * @param {Line} line
   * @param {number} generation
   */
  function start(line, generation) {
    delete due[line.leg];
    line.phase = 'connect';
    line.generation = generation;
    line.startedAt = now;
    line.hasStarted = true;
    decide('start', line.leg, generation);
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
   * @param {Line} line
   * @param {string} outcome
   * @param {string} [detail]
   * @returns {any} whether it was under way
   */
  function drop(line, outcome, detail) {
    if (line.phase) {
      note(line, outcome, detail);
      idle(line);
      decide('drop', line.leg);
      return true;
    }
  }

  /**
   * How often it failed is kept.
   * @param {Line} line
   */
  function idle(line) {
    line.phase = '';
    line.isProven = line.isStalled = false;
    if (line === websocket) {
      delete due.deadline;
      delete due.steady;
    }
  }

  /** @param {string} leg */
  function carry(leg) {
    if (negotiation.carrier !== leg) {
      negotiation.carrier = leg;
      decide('carrier', leg);
    }
  }

  /** @param {Line} line */
  function detached(line) {
    if (negotiation.carrier === line.leg) {
      carry('');
    }
  }

  /** A WebSocket that was not proven here has failed where polling works. */
  function rememberFailure() {
    if (!wasProven && negotiation.carrier === POLL) {
      decide('remember', 'fails');
    }
  }

  /**
   * The leg has failed. With full jitter above a floor, clients that were cut off together do not
   * come back together.
   * @param {Line} line
   */
  function retryLater(line) {
    var minMs = settings.backoff.minMs;
    var ceilingMs = Math.min(settings.backoff.maxMs, minMs * Math.pow(2, ++line.failures));
    idle(line);
    due[line.leg] = Math.max(
      notBefore, now + minMs + settings.random() * Math.max(0, ceilingMs - minMs));
  }

  /**
   * @param {Line} line
   * @param {string} outcome
   * @param {string} [detail]
   */
  function note(line, outcome, detail) {
    trace.note(line.leg, line.phase, now - line.startedAt, outcome, detail);
  }

  /**
   * @param {string} what
   * @param {string | number} [object] a leg, or what is to be remembered
   * @param {number} [generation]
   */
  function decide(what, object, generation) {
    negotiation.decisions.push([what, object, generation]);
  }

  return negotiation;
}
