/**
 * Owns which leg carries the session, which one is tried when, and the pauses between.
 * Leaves to the legs how they carry it, and to session.js what it is.
 *
 * The WebSocket starts at once, polling a little later, and whichever shows that the session is
 * open carries it. A WebSocket takes over from polling whenever it can; polling takes over when the
 * WebSocket is lost.
 */

/** How long a poll that was told "superseded" waits for the WebSocket to show why. */
var GRACE_MS = 1000;

/** A WebSocket that has carried the session for so long was worth it: pauses begin short again. */
var STEADY_MS = 10000;

var TRACE_LENGTH = 64;

/**
 * @param {Session} session
 * @param {LegFactories} newLeg what can be used here
 * @param {Settings} settings
 * @param {(transport: string) => void} ontransport what carries the session from now on
 * @returns {Negotiator}
 */
function createNegotiator(session, newLeg, settings, ontransport) {
  /** @type {WebSocketLeg | null} */
  var websocket = null;
  /** @type {PollLeg | null} */
  var poll = null;
  // The name of the leg that carries the session, if one does.
  var carrier = '';
  /** @type {{ [transport: string]: boolean }} */
  var blocked = {};
  var websocketFailures = 0;
  var pollFailures = 0;
  // What polls attach with. The first is below the WebSocket's, which is rather kept; 0 asks for a
  // new one, above all others.
  var pollGeneration = 1;
  // Before this time the server wants no attempt.
  var notBefore = 0;

  var websocketTimer = createTimer(settings, startWebSocket);
  var pollTimer = createTimer(settings, startPoll);
  var steadyTimer = createTimer(settings, function () {
    websocketFailures = 0;
  });
  var graceTimer = createTimer(settings, function () {
    drop(websocket, 'silent');
  });
  var deadline = createTimer(settings, session.expire);

  /** @type {Negotiator} */
  var negotiator = {
    trace: [],

    start: function () {
      deadline.set(newLeg.websocket || newLeg.poll ? settings.connectTimeoutMs : 0);
      startWebSocket();
      pollTimer.set(websocket ? settings.httpDelayMs : 0);
    },

    transmit: function () {
      var leg = legNamed(carrier);
      if (leg) {
        leg.transmit();
      }
    },

    retry: function () {
      if (websocket) {
        websocket.check();
      } else {
        startWebSocket();
      }
      if (!carrier) {
        startPoll();
      }
    },

    restart: function () {
      drop(poll, 'online');
      pollFailures = 0;
      negotiator.retry();
    },

    block: function (transport) {
      blocked[transport] = true;
      drop(legNamed(transport), 'blocked');
      detached(transport);
    },

    unblock: function (transport) {
      blocked[transport] = false;
      negotiator.retry();
    },

    stop: function (close) {
      websocketTimer.stop();
      pollTimer.stop();
      steadyTimer.stop();
      graceTimer.stop();
      deadline.stop();
      if (websocket) {
        websocket.stop(close);
      }
      if (poll) {
        poll.stop(close);
      }
    }
  };

  /** @param {string} name */
  function legNamed(name) {
    return name === 'poll' ? poll : name === 'websocket' ? websocket : null;
  }

  function startWebSocket() {
    if (!websocket && isUsable('websocket')) {
      websocketTimer.stop();
      websocket = /** @type {() => WebSocketLeg} */ (newLeg.websocket)();
      launch(websocket, websocketAttached, websocketLost);
    }
  }

  function startPoll() {
    if (!poll && isUsable('poll')) {
      pollTimer.stop();
      graceTimer.stop();
      pollGeneration = pollGeneration || session.nextGeneration();
      poll = /** @type {(generation: number) => PollLeg} */ (newLeg.poll)(pollGeneration);
      // That it attached is not enough: something may end every hold.
      poll.onheld = function () {
        pollFailures = 0;
      };
      launch(poll, ignore, pollLost);
    }
  }

  /** @param {string} transport */
  function isUsable(transport) {
    return newLeg[transport] && !blocked[transport] && !session.ended;
  }

  /**
   * @param {Leg} leg
   * @param {() => void} attached
   * @param {(code?: number, retryAfterMs?: number) => void} lost
   */
  function launch(leg, attached, lost) {
    var startedAt = settings.now();

    /** @param {string} result */
    function note(result) {
      negotiator.trace.push({
        leg: leg.name, phase: leg.phase, ms: Math.round(settings.now() - startedAt), result: result
      });
      negotiator.trace.splice(0, negotiator.trace.length - TRACE_LENGTH);
    }

    leg.onattach = function () {
      note('ok');
      deadline.stop();
      attached();
      carrier = leg.name;
      ontransport(carrier);
    };
    leg.onlost = function (why, code, retryAfterMs) {
      note(why);
      lost(code, retryAfterMs);
    };
    leg.start();
  }

  /**
   * @param {Leg | null} leg
   * @param {string} why
   */
  function drop(leg, why) {
    if (leg) {
      leg.stop();
      leg.onlost(why);
    }
  }

  function websocketAttached() {
    steadyTimer.set(STEADY_MS);
    pollTimer.stop();
    graceTimer.stop();
    if (poll) {
      poll.stop();
      poll = null;
    }
    pollGeneration = pollFailures = 0;
  }

  function websocketLost() {
    websocket = null;
    steadyTimer.stop();
    websocketTimer.set(pause(++websocketFailures));
    detached('websocket');
    // After a failure a poll waits for its own time.
    if (!pollFailures) {
      startPoll();
    }
  }

  /**
   * @param {number} [code]
   * @param {number} [retryAfterMs]
   */
  function pollLost(code, retryAfterMs) {
    poll = null;
    notBefore = settings.now() + (retryAfterMs || 0);
    if (code === 4900) {
      pollGeneration = 0;
      if (websocket) {
        // It has probably attached, and its answer is on the way.
        pollFailures = 0;
        graceTimer.set(GRACE_MS);
        return;
      }
    }
    pollTimer.set(pause(++pollFailures));
    detached('poll');
  }

  /** @param {string} transport that carries nothing any more */
  function detached(transport) {
    if (carrier === transport) {
      carrier = '';
      // From now on: when the server's window began, only the server knows.
      deadline.set(session.limits.resumeWindowMs);
      ontransport('reconnecting');
    }
  }

  /**
   * Full jitter above a floor: clients that were cut off together do not come back together.
   * @param {number} failures
   */
  function pause(failures) {
    var backoff = settings.backoff;
    var ceiling = Math.min(backoff.maxMs, backoff.minMs * Math.pow(2, failures));
    var jittered = backoff.minMs + settings.random() * (ceiling - backoff.minMs);
    return Math.max(jittered, notBefore - settings.now());
  }

  return negotiator;
}
