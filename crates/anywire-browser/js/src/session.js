/**
 * Owns the session: who it is, what was received, what is kept to be sent, and how it ends.
 * Leaves the connections to the legs, and which of them carries it to negotiator.js.
 */

var UNKNOWN_SESSION = 4930;

/** An outbox that grows beyond this is given up: nobody takes what the application sends. */
var MAX_OUTBOX_BYTES = 67108864;

/**
 * @param {Clock} clock
 * @param {string} key
 * @param {string[]} protocols
 * @param {SessionHandlers} handlers
 * @returns {Session}
 */
function createSession(clock, key, protocols, handlers) {
  var secret = '';
  var generation = 1;
  var outbox = createOutbox();
  var closeTimer = createTimer(clock, function () {
    endWithOwnClose(false);
  });

  /** @type {Session} */
  var session = {
    key: key,
    protocols: protocols,
    id: '',
    protocol: '',
    limits: {
      maxMessageBytes: 1048576,
      maxPayloadBytes: 2097152,
      heartbeatMs: 25000,
      heartbeatTimeoutMs: 8000,
      ackDelayMs: 1000,
      holdMs: 25000,
      resumeWindowMs: 120000,
      closeTimeoutMs: 10000
    },
    received: 0,
    heardAt: clock.now(),
    outbox: outbox,
    closing: null,
    ended: false,

    nextGeneration: function () {
      return ++generation;
    },

    openContent: function (generation) {
      return JSON.stringify({
        version: 1,
        key: key,
        generation: generation,
        holdMs: 0,
        protocols: protocols
      });
    },

    attachContent: function (generation, holdMs) {
      return [session.id, secret, generation, session.received].join(' ') +
        (holdMs === undefined ? '' : ' ' + holdMs);
    },

    handleOpened: function (content) {
      var opened = parseOpened(content);
      if (session.id && session.id !== opened.session) {
        throw protocolError();
      }
      if (opened.first > session.received || opened.received < outbox.first) {
        throw createFault(4961, 'gap');
      }
      if (!session.id) {
        session.id = opened.session;
        secret = opened.secret;
        session.protocol = opened.protocol || '';
      }
      for (var name in session.limits) {
        if (opened.limits && opened.limits[name] > 0) {
          session.limits[name] = opened.limits[name];
        }
      }
      session.handleAck(opened.received);
      return opened;
    },

    handleMessage: function (offset, letter, content) {
      if (offset > session.received) {
        throw createFault(4961, 'gap');
      }
      if (offset === session.received) {
        session.received++;
        handlers.onmessage(letter, content);
      }
    },

    handleAck: function (received) {
      if (outbox.ack(received)) {
        handlers.onbuffer(outbox.bytes);
        if (session.closing) {
          // What was sent before the close may need longer than the close itself.
          closeTimer.set(session.limits.closeTimeoutMs);
        }
      }
    },

    handleClose: function (close) {
      if (session.closing) {
        endWithOwnClose(true);
      } else {
        close.wasClean = close.code < 4900;
        close.tell = true;
        session.end(close);
      }
    },

    handleRefusal: function (code, message) {
      if (session.closing && code === UNKNOWN_SESSION) {
        // The server has closed already; only its answer was lost.
        endWithOwnClose(true);
      } else {
        session.end({ code: code, reason: message });
      }
    },

    send: function (message) {
      if (message.size > session.limits.maxMessageBytes) {
        abortSoon(4964, 'too-large');
      } else if (outbox.bytes + message.size > MAX_OUTBOX_BYTES) {
        abortSoon(4932, 'too-slow');
      } else {
        outbox.push(message);
        handlers.onbuffer(outbox.bytes);
        handlers.ontransmit();
      }
    },

    close: function (code, reason) {
      session.closing = { code: code, reason: reason };
      closeTimer.set(session.limits.closeTimeoutMs);
      handlers.ontransmit();
    },

    abort: function (code, reason) {
      session.end({ code: code, reason: reason, tell: true });
    },

    end: function (close) {
      if (!session.ended) {
        session.ended = true;
        closeTimer.stop();
        handlers.onend(close);
      }
    }
  };

  /**
   * The application hears of the end when its call has returned.
   * @param {number} code
   * @param {string} name
   */
  function abortSoon(code, name) {
    clock.setTimeout(function () {
      session.abort(code, name);
    }, 0);
  }

  /** @param {boolean} wasClean */
  function endWithOwnClose(wasClean) {
    var closing = /** @type {Close} */ (session.closing);
    session.end({ code: closing.code, reason: closing.reason, wasClean: wasClean });
  }

  return session;
}

/**
 * @param {string} content
 * @returns {any} the members of PROTOCOL §3.2
 */
function parseOpened(content) {
  var opened = parseJson(content);
  if (opened.version !== 1 || !opened.session || !opened.secret ||
      !(opened.received >= 0) || !(opened.first >= 0)) {
    throw protocolError();
  }
  return opened;
}

/**
 * @param {string} text
 * @returns {any} an empty object if it is not JSON
 */
function parseJson(text) {
  try {
    return JSON.parse(text) || {};
  } catch (error) {
    return {};
  }
}
