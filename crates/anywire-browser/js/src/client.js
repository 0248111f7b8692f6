/**
 * Owns what joins a public object, its session and its negotiator, and what they take from the
 * browser: constructors, timers, randomness, the page's own events.
 * Leaves the public surface to anywire.js.
 */

/**
 * @param {AnywireObject} socket
 * @param {Endpoints} endpoints
 * @param {string[]} protocols
 * @param {any} options
 * @returns {Client}
 */
function createClient(socket, endpoints, protocols, options) {
  var settings = createSettings(options);
  // What was sent too late never leaves, but counts, as with a WebSocket.
  var ignoredBytes = 0;

  var session = createSession(settings, createKey(settings), protocols, {
    toData: function (bytes) {
      return socket.binaryType === 'blob' ? new Blob([bytes.buffer]) : bytes.buffer || bytes;
    },
    onmessage: function (data) {
      if (socket.readyState === IS_OPEN) {
        fire('message', { data: data, origin: endpoints.origin, lastEventId: '' });
      }
    },
    onbuffer: countBuffered,
    ontransmit: function () {
      negotiator.transmit();
    },
    onend: function (close) {
      negotiator.stop(close);
      listenToPage(false);
      socket.readyState = CLOSED;
      setTransport('');
      if (!close.wasClean) {
        fire('error', {});
      }
      fire('close', { code: close.code, reason: close.reason, wasClean: !!close.wasClean });
    }
  });

  var sender = createSender(session, countBuffered);

  var negotiator =
    createNegotiator(session, createLegs(session, endpoints, settings), settings, carriedBy);

  /** @param {string} transport */
  function carriedBy(transport) {
    var isOpening = socket.readyState === CONNECTING;
    if (isOpening) {
      socket.readyState = IS_OPEN;
      socket.protocol = session.protocol;
    }
    setTransport(transport);
    if (isOpening && socket.readyState === IS_OPEN) {
      fire('open', {});
    }
  }

  function countBuffered() {
    socket.bufferedAmount = session.outbox.bytes + sender.bytes + ignoredBytes;
  }

  /** @param {string} transport */
  function setTransport(transport) {
    var previous = socket.transport;
    if (transport !== previous) {
      socket.transport = transport;
      fire('transport', { transport: transport, previous: previous });
    }
  }

  /**
   * @param {string} type
   * @param {any} event
   */
  function fire(type, event) {
    event.type = type;
    socket.dispatchEvent(event);
  }

  /** @param {boolean} isListening */
  function listenToPage(isListening) {
    var method = isListening ? 'addEventListener' : 'removeEventListener';
    if (root[method]) {
      root[method]('online', returned);
      root[method]('pageshow', returned);
    }
  }

  /** @param {PageTransitionEvent} event that tells of a page shown again, or of no page */
  function returned(event) {
    // A page that is shown for the first time has lost nothing.
    if (event.persisted !== false) {
      negotiator.restart();
    }
  }

  listenToPage(true);

  return {
    negotiator: negotiator,

    send: function (data) {
      if (socket.readyState === IS_OPEN) {
        sender.send(data);
      } else {
        ignoredBytes += createMessage(data).size;
        countBuffered();
      }
    },

    close: function (code, reason) {
      var isConnecting = socket.readyState === CONNECTING;
      socket.readyState = CLOSING;
      if (!isConnecting) {
        sender.close(code, reason);
        return;
      }
      var close = { code: 1006, reason: 'still connecting' };
      negotiator.stop(close);
      settings.setTimeout(function () {
        session.end(close);
      }, 0);
    }
  };
}

/**
 * The legs that this browser and the settings allow.
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Settings} settings
 * @returns {LegFactories}
 */
function createLegs(session, endpoints, settings) {
  var WebSocket = settings.WebSocket;
  var XMLHttpRequest = settings.XMLHttpRequest;
  var allowed = '' + settings.transports;
  /** @type {LegFactories} */
  var legs = {};

  // Implementations of drafts have no CLOSING. They cannot carry bytes and are left alone.
  if (/websocket/.test(allowed) && WebSocket && WebSocket.CLOSING) {
    legs.websocket = function () {
      return createWebSocketLeg(
        session, createWebSocketTransport(WebSocket, endpoints.websocket, settings), settings);
    };
  }
  if (/poll/.test(allowed) && XMLHttpRequest) {
    /** @type {Pace} */
    var pace = { holdMs: Infinity, batchBytes: Infinity };
    var isBinary = settings.encoding === 'binary' || settings.encoding === 'auto' &&
      root.TextEncoder && root.TextDecoder && 'responseType' in new XMLHttpRequest();
    legs.poll = function (generation) {
      return createPollLeg(session, function () {
        return createPollTransport(
          XMLHttpRequest, endpoints.poll, isBinary, settings.withCredentials, settings);
      }, isBinary, settings, generation, pace);
    };
  }
  return legs;
}

/**
 * @param {any} options
 * @returns {Settings}
 */
function createSettings(options) {
  /** @type {any} */
  var settings = {
    transports: ['websocket', 'poll'],
    httpDelayMs: 300,
    connectTimeoutMs: 20000,
    backoff: { minMs: 500, maxMs: 30000 },
    encoding: 'auto',
    withCredentials: true,
    WebSocket: root.WebSocket,
    XMLHttpRequest: root.XMLHttpRequest,
    random: Math.random,
    now: function () {
      // The date may be set back; this may not.
      return root.performance && performance.now ? performance.now() : new Date().getTime();
    },
    // Called as methods of another object, the browser's own would refuse.
    setTimeout: function (/** @type {() => void} */ callback, /** @type {number} */ ms) {
      return setTimeout(callback, ms);
    },
    clearTimeout: function (/** @type {any} */ id) {
      clearTimeout(id);
    }
  };
  for (var name in options) {
    if (options[name] !== undefined) {
      settings[name] = options[name];
    }
  }
  return settings;
}

/** @param {Settings} settings */
function createKey(settings) {
  var bytes = root.crypto && crypto.getRandomValues &&
    crypto.getRandomValues(new Uint8Array(16));
  var key = '';
  for (var i = 0; i < 16; i++) {
    var octet = bytes ? bytes[i] : Math.floor(settings.random() * 256);
    key += (octet + 256).toString(16).substr(1);
  }
  return key;
}
