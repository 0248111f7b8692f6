/*! Anywire 0.1.0 */
(function (root) {

/**
 * Owns what is asked of the engine beside its transports and its timers. The modern build's;
 * the full one has the same names in old/.
 */

var IS_FULL = false;

var TRANSPORTS = ['websocket', 'poll'];

/** The date may be set; this never goes backwards. */
function monotonicMs() {
  return performance.now();
}

function newKey() {
  return crypto.getRandomValues(new Uint8Array(16)).reduce(function (key, number) {
    return key + (number + 256).toString(16).slice(1);
  }, '');
}

/** @param {string} url relative to the page */
function absoluteUrl(url) {
  return new URL(url, root.location).href;
}

/**
 * How many bytes a text takes in UTF-8.
 * @param {string} text
 */
function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

/** @param {Uint8Array} view */
function copyBytes(view) {
  return new Uint8Array(view);
}

/**
 * The text as it goes: what takes it puts U+FFFD for each surrogate that stands alone.
 * @param {string} text
 */
function wellFormed(text) {
  return text;
}

/** @param {any} data */
function isBlob(data) {
  // A Response has that too, but no size.
  return data && data.size >= 0 && data.arrayBuffer;
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
function readBlob(blob, done, failed) {
  blob.arrayBuffer().then(done, failed);
}

/** How binary messages come unless the application says. */
function chooseBinaryType() {
  return 'blob';
}

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} _session
 * @param {Endpoints} _endpoints
 * @returns {Http | undefined}
 */
function chooseHttp(settings, _session, _endpoints) {
  return isListed(settings, POLL) && settings.XMLHttpRequest ?
    /** @type {any} */ ({ holdMs: Infinity, batchBytes: Infinity }) : undefined;
}

/**
 * Owns what the platform gives the public object: to be a target of events, its events and errors.
 * The modern build's; old/target.js has the same names for engines where nothing can inherit.
 */

/**
 * @param {AnywireObject} self
 * @returns {AnywireObject} with a handler for each type, which is called before listeners
 */
function newTarget(self) {
  /** @type {AnywireObject} */
  var target = Reflect.construct(EventTarget, [], self.constructor);
  EVENTS.forEach(function (type) {
    target['on' + type] = null;
    target.addEventListener(type, function (/** @type {any} */ event) {
      if (target['on' + type]) {
        target['on' + type](event);
      }
    });
  });
  return target;
}

/** @param {any} members of the public object */
function newPrototype(members) {
  // Both, as a class would.
  Object.setPrototypeOf(Anywire, EventTarget);
  return Object.setPrototypeOf(members, EventTarget.prototype);
}

/**
 * @param {AnywireObject} target
 * @param {string} type
 * @param {any} members what its kind tells
 */
function fire(target, type, members) {
  target.dispatchEvent(Object.assign(new Event(type), members));
}

/**
 * @param {string} name
 * @param {string} message
 */
function newError(name, message) {
  return new DOMException(message, name);
}

/**
 * Owns what an application may send, as a message.
 * Leaves its way to the session.
 */

/**
 * A copy, since the application may reuse its buffers. The content is null while it is in a Blob.
 * @param {any} data
 * @returns {Message}
 */
function createMessage(data) {
  var content = null;
  var bytes = 0;
  if (isBlob(data)) {
    bytes = data.size;
  } else if (data && data.byteLength >= 0) {
    bytes = data.byteLength;
    content = copyBytes(new Uint8Array(data.buffer || data, data.byteOffset || 0, bytes));
  } else {
    content = wellFormed('' + data);
    bytes = utf8Length(content);
  }
  return { letter: typeof content === 'string' ? TEXT : BINARY, content: content, bytes: bytes };
}

/**
 * Owns the messages that the application has sent and the server has not acknowledged
 * (PROTOCOL §7.1).
 * Leaves to its caller when a message goes, by which leg, and how much is too much.
 */

/** More than a packet adds to its content in either encoding. */
var PACKET_BYTES = 16;

/** @returns {Outbox} */
function createOutbox() {
  var sent = 0;
  /** @type {Message[]} */
  var messages = [];

  /** @type {Outbox} */
  var outbox = {
    base: 0,
    end: 0,
    bytes: 0,
    gone: 0,

    push: function (message) {
      messages.push(message);
      outbox.end++;
      outbox.bytes += message.bytes;
    },

    ack: function (received, carried) {
      if (received > sent) {
        throw createFault(4963, 'bad-ack');
      }
      // An ack may come late, after a higher one.
      var acked = messages.splice(0, Math.min(received, carried) - outbox.base);
      for (var i = 0; i < acked.length; i++) {
        outbox.bytes -= acked[i].bytes;
        outbox.gone += acked[i].bytes;
      }
      outbox.base += acked.length;
      return acked.length > 0;
    },

    take: function (offset) {
      var message = messages[offset - outbox.base];
      if (message && message.content !== null) {
        sent = Math.max(sent, offset + 1);
        return message;
      }
    },

    batch: function (maxBytes, maxCount) {
      var batch = [];
      while (batch.length < maxCount) {
        /** @type {Message | undefined} */
        var message = messages[batch.length];
        // As if every message went in base64: the bound holds in both encodings.
        if (!message || (maxBytes -= PACKET_BYTES + message.bytes * 4 / 3) < 0 && batch.length ||
            !outbox.take(outbox.base + batch.length)) {
          break;
        }
        batch.push(message);
      }
      return batch;
    }
  };
  return outbox;
}

/**
 * Owns what stands between a negotiation and the world: it feeds it what the legs, the page and the
 * clock do, and does what it decides.
 * Leaves each decision to negotiation.js, and to the legs how they carry the session.
 */

/**
 * @param {Session} session
 * @param {(leg: string, generation: number, feed: Feed, trace: Trace) => Leg} newLeg
 * @param {{ [leg: string]: any }} usable which legs there are
 * @param {Settings} settings
 * @param {OriginMemory} memory
 * @param {(transport: string) => void} ontransport what carries the session from now on
 * @returns {Negotiator}
 */
function createNegotiator(session, newLeg, usable, settings, memory, ontransport) {
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

/**
 * Owns the payload: packets one after the other in an HTTP body (PROTOCOL §4), and which packets
 * an answer may have.
 * Leaves the encodings to files of their own, and the single packet to packet.js.
 */

var LETTERS = 'oxOntbapqcsr-';

/**
 * Decodes an answer as a whole, so that nothing of a broken one is taken (PROTOCOL §6.2).
 * @param {Encoding} encoding
 * @param {any} body
 * @param {boolean} isFirst whether it must open the session
 */
function decodeAnswer(encoding, body, isFirst) {
  var packets = encoding.unpack(body);
  var letters = '';
  for (var i = 0; i < packets.length; i++) {
    if (packets[i].letter !== PADDING) {
      letters += packets[i].letter;
    }
  }
  if (!/^O?q?a(n[tb]*)?c?$/.test(letters) || (isFirst && letters.charAt(0) !== OPENED)) {
    throw protocolError();
  }
  return packets;
}

/**
 * Owns what is remembered of an origin, across pages and tabs where the browser stores it, else in
 * this page (NEGOTIATION §6).
 * Leaves what it is good for to negotiation.js.
 */

var MEMORY_MS = 600000;

/** @type {{ [name: string]: string }} */
var pageMemory = {};

/**
 * @param {Settings} settings
 * @param {string} origin
 * @returns {OriginMemory}
 */
function createMemory(settings, origin) {
  var name = 'anywire ' + origin;

  /** @param {(store: any) => any} work on the storage, or on the page's own where there is none or it throws */
  function use(work) {
    try {
      return work(settings.localStorage || root.localStorage);
    } catch (error) {
      return work(pageMemory);
    }
  }

  return {
    recall: function () {
      var parts = /^(\d+) (\d+|fails)$/.exec(use(function (store) {
        return store[name];
      }));
      var leftMs = parts ? +parts[1] - settings.date() : 0;
      // A clock that was set back makes no memory last.
      return parts && leftMs > 0 && leftMs <= MEMORY_MS ? parts[2] : '';
    },

    remember: function (memory) {
      use(function (store) {
        store[name] = settings.date() + MEMORY_MS + ' ' + memory;
      });
    },

    forget: function () {
      use(function (store) {
        delete store[name];
        if (IS_FULL) {
          for (var other in store) {
            // What is remembered of its rungs begins with its name.
            if (!other.indexOf(name)) {
              delete store[other];
            }
          }
        }
      });
    }
  };
}

/**
 * Owns how HTTP exchanges carry a session: one that is held for what comes down, and beside it one
 * that sends (PROTOCOL §6).
 * Leaves to negotiator.js when to try it, and what follows when an exchange fails.
 *
 * The first exchange is not held: it opens or attaches, sends what waits, and its answer attaches
 * the leg. Only then is one held, may another send, and is the path proven by one of its own.
 */

/** Leaves room for what stands beside the messages: attach, reports, offset and close. */
var MAX_BATCH = 900;
var BESIDE_BYTES = 1024;

/** The pause when the server left packets out (PROTOCOL §6.6): doubled while it takes nothing. */
var FULL_INBOX_MS = 250;
var MAX_FULL_INBOX_MS = 5000;

/** After a hold that ends sooner than this and brings nothing comes a pause (PROTOCOL §6.4). */
var SHORT_HOLD_MS = 500;
var HOLD_PAUSE_MS = 1000;

/** No path is asked for less. One that bore a hold is asked for a little more, so that few fail. */
var MIN_HOLD_MS = 1000;
var HOLD_GROWTH = 1.02;

/** How often longer than a ping an exchange may take that is larger than this. */
var SEND_PATIENCE = 3;
var SMALL_BYTES = 2048;

/** The answer to a close comes so soon after another exchange has found the session gone. */
var CLOSE_ANSWER_MS = 1000;

/** A send that waits for so long may wait for the hold, where an engine has one connection. */
var BLOCKED_MS = 2000;
/** Then it is answered so soon after the hold was given up. */
var UNBLOCKED_MS = 500;

/**
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Http} http
 * @param {Settings} settings
 * @param {Feed} feed
 * @param {number} generation
 * @param {Trace} trace
 * @returns {PollLeg}
 */
function createPollLeg(session, endpoints, http, settings, feed, generation, trace) {
  var limits = session.limits;
  var outbox = session.outbox;
  var encoding = IS_FULL ? http.encoding : BINARY_ENCODING;
  var exchangeBy = IS_FULL ? http.exchange : startExchange;
  var carryDown = IS_FULL ? carryByRung : hold;
  var isStopped = false;
  var isAttached = false;
  var isSending = true;
  // Since when there is no hold, so that a send gets through; or 0. And whether that was tried.
  var clearedAt = 0;
  var wasCleared = false;
  // Who is to be told when the next exchange asks for padding (PROTOCOL §13.9).
  /** @type {Asking | null} */
  var asked = null;
  // What went up last, and how long the rest waits if the server leaves some of it out.
  var isCloseSent = false;
  // What comes is of the exchange with our close; and whether it has brought the answer to that.
  var isAnswer = false;
  var isCloseAnswered = false;
  var isFull = false;
  var batchFirst = 0;
  var batchEnd = 0;
  var fullInboxMs = FULL_INBOX_MS;
  // Of the next message down.
  var offset = 0;
  /** @type {{ [slot: string]: () => void }} */
  var aborts = {};
  var sendTimer = createTimer(settings, send);
  var holdTimer = createTimer(settings, carryDown);
  var blockedTimer = createTimer(settings, clearHold);

  var leg = /** @type {PollLeg} */ ({
    start: function () {
      if (IS_FULL && http.rungs) {
        http.rungs.left();
      }
      exchange('hold', 0, synced, (session.id ? attaching(0) :
        [newPacket(OPEN, session.openContent(generation))]).concat(IS_FULL && http.isShort ? [] : upward()));
    },

    prove: function () {
      if (!IS_FULL || !http.isShort) {
        exchange('proof', 0, ignore, attaching().concat(newPacket(PING, session.padding())));
      }
    },

    transmit: function () {
      if (isSending || isStopped || !(IS_FULL && asked || outbox.take(outbox.base) ||
          session.closing && outbox.base === outbox.end)) {
        return;
      }
      if (session.closing) {
        // At once: the page may be about to leave.
        send();
      } else if (!isFull) {
        // After this turn, so that all that is sent in it shares one request.
        sendTimer.by(settings.now());
      }
    },

    drop: function (_, _code, farewell) {
      if (isStopped) {
        return;
      }
      isStopped = true;
      session.isCloseSent = session.isCloseSent || isCloseSent && isSending;
      sendTimer.stop();
      holdTimer.stop();
      blockedTimer.stop();
      for (var slot in aborts) {
        aborts[slot]();
      }
      // An exchange that was to bring our close may have been dropped on its way.
      if (farewell && session.id && !isCloseAnswered) {
        exchangeBy(settings, endpoints, encoding,
          encoding.pack(attaching().concat(newPacket(CLOSE, farewell))),
          limits.heartbeatTimeoutMs, ignore, ignore);
      }
    }
  });

  if (IS_FULL) {
    leg.attachment = function () {
      return session.attachContent(generation);
    };

    leg.take = take;

    leg.held = function () {
      feed('held');
    };

    leg.next = function (isHold) {
      if (!isStopped) {
        (isHold ? hold : carryDown)();
      }
    };

    leg.acknowledge = function (asking) {
      asked = asking;
      if (!isSending) {
        send();
      }
    };
  }

  function synced() {
    sent();
    carryDown();
  }

  /** By what was proven, else by holds. */
  function carryByRung() {
    var stop = http.rungs && !http.isNarrow && http.rungs.open(leg, trace);
    if (stop) {
      aborts.hold = stop;
    } else {
      hold();
    }
  }

  /** Whatever it would have brought comes again. */
  function clearHold() {
    wasCleared = true;
    clearedAt = settings.now();
    holdTimer.stop();
    aborts.hold();
  }

  function hold() {
    if (IS_FULL && http.rungs) {
      http.rungs.left();
    }
    var askedMs = Math.floor(Math.min(limits.holdMs, http.holdMs));
    var startedAt = settings.now();
    var received = session.received;
    exchange('hold', askedMs, function () {
      feed('held');
      if (session.received === received) {
        if (!askedMs || settings.now() - startedAt < Math.min(SHORT_HOLD_MS, askedMs / 2)) {
          holdTimer.set(HOLD_PAUSE_MS);
          return;
        }
        http.holdMs *= HOLD_GROWTH;
      }
      // A turn later: an engine with one request at a time would not come to what waits to be sent.
      holdTimer.set(0);
    }, attaching(askedMs));
  }

  function send() {
    /** @type {any} */
    var answered = null;
    if (IS_FULL && asked) {
      answered = asked();
      asked = null;
    }
    sendTimer.stop();
    isSending = true;
    isFull = false;
    if (http.isNarrow) {
      clearHold();
    } else if (!wasCleared) {
      blockedTimer.set(BLOCKED_MS + outbox.bytes / SLOW_BYTES_PER_MS);
    }
    exchange('send', 0, !answered ? sent : function () {
      sent();
      answered();
    }, (answered ? attaching().concat(newPacket(PADDING, '')) : attaching()).concat(upward()));
  }

  function sent() {
    isSending = false;
    blockedTimer.stop();
    if (clearedAt) {
      http.isNarrow = http.isNarrow || settings.now() - clearedAt < UNBLOCKED_MS;
      clearedAt = 0;
      hold();
    }
    if (outbox.base > batchFirst) {
      fullInboxMs = FULL_INBOX_MS;
    }
    if (outbox.base < batchEnd || isCloseSent) {
      // The server had no room, also not for a close: it would have answered it.
      isFull = true;
      sendTimer.set(fullInboxMs);
      fullInboxMs = Math.min(MAX_FULL_INBOX_MS, 2 * fullInboxMs);
    } else {
      leg.transmit();
    }
  }

  /** The packets that go up now. */
  function upward() {
    batchFirst = outbox.base;
    /** @type {Packet[]} */
    var packets = outbox.batch(
      Math.min(limits.maxPayloadBytes - BESIDE_BYTES, http.batchBytes), MAX_BATCH);
    batchEnd = batchFirst + packets.length;
    if (packets.length) {
      packets.unshift(newPacket(OFFSET, '' + batchFirst));
    }
    isCloseSent = false;
    if (session.closing && batchEnd === outbox.end) {
      isCloseSent = true;
      packets.push(newPacket(CLOSE, closeContent(session.closing.code, session.closing.reason)));
    }
    return packets;
  }

  /**
   * What an exchange begins with.
   * @param {number} [holdMs]
   * @returns {Packet[]}
   */
  function attaching(holdMs) {
    return [newPacket(ATTACH, session.attachContent(generation, holdMs))]
      .concat(trace.reports());
  }

  /**
   * @param {string} slot
   * @param {number} holdMs how long the server may wait
   * @param {() => void} next
   * @param {Packet[]} packets
   */
  function exchange(slot, holdMs, next, packets) {
    var body = encoding.pack(packets);
    // Its line may be slow, and bear less.
    var isLong = body.length > SMALL_BYTES;
    var patienceMs = holdMs + limits.heartbeatTimeoutMs * (isLong ? SEND_PATIENCE : 1);

    aborts[slot] = exchangeBy(settings, endpoints, encoding, body, patienceMs,
    function (payload) {
      if (isLong) {
        http.batchBytes *= 2;
      }
      session.handleHeard();
      trace.handleReported(packets);
      isAnswer = packets[packets.length - 1].letter === CLOSE;
      try {
        receive(payload);
      } finally {
        isAnswer = false;
        // An error of the browser's must not end the polling.
        if (!isStopped) {
          next();
        }
      }
    }, function (outcome, detail, text, retryAfterMs) {
      // Of PROTOCOL §8.4, if the server wrote the answer and nobody between.
      var refusal = parseJson(text);

      function refused() {
        session.handleRefusal(refusal.code, refusal.message);
      }

      if (refusal.code >= 4930 && refusal.code < 5000) {
        if (refusal.code === UNKNOWN_SESSION && isAttached && isCloseSent && isSending && slot !== 'send') {
          // The exchange with our close may have ended the session; its answer says how (PROTOCOL §8.2.1).
          createTimer(settings, function () {
            session.isCloseSent = true;
            refused();
          }).set(CLOSE_ANSWER_MS);
        } else {
          refused();
        }
        return;
      }
      if (!refusal.code) {
        // The path did not bear this. It is asked for less, as long as it does not.
        if (isLong) {
          http.batchBytes = body.length / 2;
        }
        if (holdMs) {
          http.holdMs = Math.max(MIN_HOLD_MS, holdMs / 2);
        }
        if (slot === 'proof') {
          // It stays unproven; what it bears, it carries.
          return;
        }
      }
      lost(refusal.code === SUPERSEDED_CODE ? 'superseded' : outcome, detail, retryAfterMs);
    });
  }

  /** @param {any} body */
  function receive(body) {
    var packets;
    try {
      packets = decodeAnswer(encoding, body, !session.id);
    } catch (error) {
      // Something between here and the server has answered.
      lost('refused', 'no payload');
      return;
    }
    take(packets);
  }

  // What each packet does.
  /** @type {{ [letter: string]: (content: any, letter: string) => void }} */
  var handlers = {};

  handlers[OPENED] = session.handleOpened;

  handlers[ACK] = function (content) {
    session.handleAck(content, content);
    if (!isAttached) {
      isAttached = true;
      feed('attached', POLL);
    }
  };

  handlers[PONG] = function () {
    // The only ping that polls send.
    feed('proven', POLL);
  };

  handlers[OFFSET] = function (content) {
    offset = content;
  };

  handlers[CLOSE] = function (close) {
    isCloseAnswered = isAnswer;
    session.handleClose(close);
  };

  handlers[SUPERSEDED] = function () {
    lost('superseded');
  };

  handlers[PADDING] = ignore;

  handlers[TEXT] = handlers[BINARY] = function (content, letter) {
    session.handleMessage(offset++, letter, content);
  };

  /** @param {Packet[]} packets */
  function take(packets) {
    withFaults(function () {
      for (var i = 0; i < packets.length && !isStopped; i++) {
        handlers[packets[i].letter](packets[i].content, packets[i].letter);
      }
    }, session.abort);
  }

  /**
   * @param {string} outcome
   * @param {string} [detail]
   * @param {number} [retryAfterMs]
   */
  function lost(outcome, detail, retryAfterMs) {
    leg.drop();
    feed('lost', POLL, outcome, detail, retryAfterMs);
  }

  return leg;
}

function ignore() {}

/**
 * Owns where the endpoints of a mount path are, seen from the page.
 * Leaves the requests to them to the transports.
 */

/**
 * @param {string} url of the mount, or of its WebSocket endpoint; relative to the page
 * @returns {Endpoints}
 */
function resolveEndpoints(url) {
  var parts = /^(?:http|ws)(s?:\/\/[^\/?#]+)(([^?#]*?)(?:\/websocket)?\/?)(\?[^#]*)?(?:#|$)/
    .exec(absoluteUrl(url));
  if (!parts) {
    throw newError('SyntaxError', 'URL ' + url);
  }
  var host = parts[1];
  var query = parts[4] || '';
  return {
    url: 'ws' + host + parts[2] + query,
    origin: 'ws' + host,
    websocket: 'ws' + host + parts[3] + '/websocket' + query,
    poll: 'http' + host + parts[3] + '/poll' + query
  };
}

/** @param {string} url */
function isCrossOrigin(url) {
  var page = root.location;
  return page && page.host && url.indexOf(page.protocol + '//' + page.host + '/');
}

/**
 * Of an exchange that brought no 200, for people.
 * @param {number} status 0 if there was no answer
 * @param {string} url
 */
function whatFailed(status, url) {
  // A browser keeps to itself why, to a page of another origin.
  return 'http ' + status +
    (status || !isCrossOrigin(url) ? '' : ', no Access-Control-Allow-Origin?');
}

/**
 * Owns what joins a public object, its session and its negotiator, and the settings, with what they
 * take from the browser: constructors, timers, randomness.
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

  var session = createSession(settings, newKey(), protocols, {
    toData: function (bytes) {
      return socket.binaryType === 'blob' ? new Blob([bytes.buffer]) :
        IS_FULL && !bytes.buffer ? bytes : bytes.buffer;
    },
    onmessage: function (data) {
      if (socket.readyState === IS_OPEN) {
        fire(socket, 'message', { data: data, origin: endpoints.origin, lastEventId: '' });
      }
    },
    onbuffer: countBuffered,
    ontransmit: function () {
      negotiator.transmit();
    },
    onend: function (code, reason, wasClean, isToBeTold) {
      negotiator.stop(code, isToBeTold && closeContent(code, reason));
      leavePage();
      socket.readyState = CLOSED;
      setTransport('');
      // Who holds a WebSocket hears of no error when it is lost; nor here when a session is.
      if (!session.id || code >= 4960) {
        fire(socket, 'error', {});
      }
      fire(socket, 'close', { code: code, reason: reason, wasClean: !!wasClean });
    }
  });

  var http = chooseHttp(settings, session, endpoints);
  /** @type {{ [leg: string]: any }} */
  var usable = {
    // Implementations of drafts have no CLOSING. They cannot carry bytes and are left alone.
    websocket: isListed(settings, WEBSOCKET) && settings.WebSocket && settings.WebSocket.CLOSING,
    poll: http
  };
  var negotiator = createNegotiator(session, function (leg, generation, feed, trace) {
    return leg === POLL ?
      createPollLeg(session, endpoints, /** @type {Http} */ (http), settings, feed, generation,
        trace) :
      createWebSocketLeg(session, endpoints.websocket, settings, feed, generation);
  }, usable, settings, createMemory(settings, endpoints.origin), carriedBy);

  var carrier = '';
  if (IS_FULL && http) {
    http.ontransport = tellTransport;
  }

  function tellTransport() {
    setTransport(IS_FULL && carrier === POLL && http ? http.name : carrier);
  }

  /** @param {string} transport */
  function carriedBy(transport) {
    var isOpening = socket.readyState === CONNECTING;
    if (isOpening) {
      socket.readyState = IS_OPEN;
      socket.protocol = session.protocol;
    }
    carrier = transport;
    tellTransport();
    if (isOpening && socket.readyState === IS_OPEN) {
      fire(socket, 'open', {});
    }
  }

  function countBuffered() {
    socket.bufferedAmount = session.outbox.bytes + ignoredBytes;
  }

  /** @param {string} transport */
  function setTransport(transport) {
    var previous = socket.transport;
    if (transport !== previous) {
      socket.transport = transport;
      fire(socket, 'transport', { transport: transport, previous: previous });
    }
  }

  var leavePage = watchPage(settings, function (hasNewNetwork) {
    negotiator.feed('returned', '', hasNewNetwork);
  });

  for (var i = 0; i < settings.first.length; i++) {
    session.send(settings.first[i]);
  }

  socket['trace'] = negotiator.trace;
  negotiator.feed('start');

  return {
    allow: function (transport, isAllowed) {
      if (usable[transport]) {
        negotiator.feed('allow', transport, isAllowed);
      }
    },

    send: function (data) {
      if (socket.readyState === IS_OPEN) {
        session.send(data);
      } else {
        ignoredBytes += createMessage(data).bytes;
        countBuffered();
      }
    },

    close: function (code, reason) {
      var isConnecting = socket.readyState === CONNECTING;
      socket.readyState = CLOSING;
      if (!isConnecting) {
        session.close(code, reason);
        return;
      }
      negotiator.stop(1000);
      soon(settings, function () {
        session.end(1006, 'still connecting');
      });
    }
  };
}

/**
 * @param {Settings} settings
 * @param {string} transport
 */
function isListed(settings, transport) {
  // No name is a part of another.
  return ('' + settings.transports).indexOf(transport) >= 0;
}

/**
 * @param {any} options
 * @returns {Settings}
 */
function createSettings(options) {
  /** @type {any} */
  var settings = {
    transports: TRANSPORTS,
    httpDelayMs: 300,
    connectTimeoutMs: 20000,
    backoff: { minMs: 500, maxMs: 30000 },
    withCredentials: true,
    WebSocket: root.WebSocket,
    XMLHttpRequest: root.XMLHttpRequest,
    random: Math.random,
    first: [],
    now: monotonicMs,
    date: function () {
      return new Date().getTime();
    },
    setTimeout: setTimeout,
    clearTimeout: clearTimeout
  };
  if (IS_FULL) {
    settings.encoding = 'auto';
    settings.EventSource = root.EventSource;
    settings.document = root.document;
  }
  for (var name in options) {
    if (options[name] !== undefined) {
      settings[name] = options[name];
    }
  }
  return settings;
}

/**
 * Owns one deadline at a time.
 * Leaves the time itself to the clock, which is a parameter everywhere.
 */

/** Browsers fire at once where a timer is longer than 24 days; this is half of that. */
var MAX_TIMEOUT_MS = 1e9;

/**
 * @param {Clock} clock
 * @param {() => void} fire
 * @returns {Timer}
 */
function createTimer(clock, fire) {
  /** @type {any} */
  var id;
  // `Infinity` while it does not run.
  var deadline = Infinity;
  // Called as methods of another object, the browser's own would refuse.
  var later = clock.setTimeout;
  var cancel = clock.clearTimeout;
  var timer = {
    /** @param {number} ms */
    set: function (ms) {
      timer.stop();
      deadline = clock.now() + ms;
      id = later(function () {
        deadline = Infinity;
        fire();
      }, Math.min(ms, MAX_TIMEOUT_MS));
    },
    /** @param {number} time */
    by: function (time) {
      if (time < deadline) {
        timer.set(time - clock.now());
      }
    },
    stop: function () {
      cancel(id);
      deadline = Infinity;
    }
  };
  return timer;
}

/**
 * When the caller has had its turn.
 * @param {Clock} clock
 * @param {() => void} work
 */
function soon(clock, work) {
  createTimer(clock, work).set(0);
}

/**
 * Owns how one WebSocket carries a session: frames, acks and the heartbeat
 * (PROTOCOL §5, §7.2, §7.3).
 * Leaves to the negotiation when to try it, how far it is, and what follows when it is lost.
 */

/** A question on an attached WebSocket that stays unanswered for so long makes it stalled. */
var STALL_MS = 2000;

/** No line is thought to carry less; and more than this on the way tells what it carries. */
var SLOW_BYTES_PER_MS = 16;
var LARGE_BYTES = 65536;
var MAX_UNACKED = 128;
var MAX_UNACKED_BYTES = 131072;

/**
 * @param {Session} session
 * @param {string} url
 * @param {Settings} settings
 * @param {Feed} feed
 * @param {number} generation of its offer, or 0 for none
 * @returns {WebSocketLeg}
 */
function createWebSocketLeg(session, url, settings, feed, generation) {
  var limits = session.limits;
  var outbox = session.outbox;
  /** @type {WebSocket} */
  var channel;
  var timer = createTimer(settings, tick);
  var isStopped = false;
  var isAttached = false;
  var isStalled = false;
  var isProving = false;
  var isCloseSent = false;
  // What the server has acknowledged before the connection was made.
  var base = 0;
  // The offsets of the next message up and down.
  var up = 0;
  // Bytes of all messages before that one.
  var upBytes = 0;
  var down = 0;
  // Messages that came and are not acknowledged yet, and since when the oldest waits.
  var unacked = 0;
  var unackedBytes = 0;
  var unackedSince = 0;
  // When something was heard last; since when a message waits for its ack, or a close for its
  // answer, and since when a ping waits for one, or 0.
  var heardAt = 0;
  var busySince = 0;
  var pingedAt = 0;
  // What the browser had not sent yet when the ping was added to it, or it was looked at last.
  var unsent = 0;

  var leg = /** @type {WebSocketLeg} */ ({
    start: function () {
      base = outbox.base;
      channel = openWebSocket(settings, url, ['anywire.v1'].concat(generation ? session.offer(generation) : []),
      function () {
        if (!isStopped) {
          feed('connected');
        }
      }, receive, lost);
    },

    prove: function () {
      // What waits goes first.
      leg.transmit();
      isProving = true;
      send(PING, session.padding());
    },

    attach: function (_, generation) {
      base = outbox.base;
      send(ATTACH, session.attachContent(generation));
    },

    report: function (trace) {
      var reports = trace.reports();
      for (var i = 0; i < reports.length; i++) {
        send(REPORT, reports[i].content);
      }
      trace.handleReported(reports);
    },

    transmit: function () {
      if (!isAttached) {
        return;
      }
      // The server's acks, and so its application, say how much may be under way (PROTOCOL §7.5).
      /** @type {Message | undefined} */
      var message;
      while (up - outbox.base < limits.windowMessages &&
          upBytes - outbox.gone < limits.windowBytes &&
          (message = outbox.take(up))) {
        up++;
        upBytes += message.bytes;
        busySince = busySince || settings.now();
        send(message.letter, message.content);
      }
      if (session.closing && !isCloseSent && up === outbox.end) {
        session.isCloseSent = isCloseSent = true;
        busySince = busySince || settings.now();
        send(CLOSE, closeContent(session.closing.code, session.closing.reason));
      }
      schedule();
    },

    check: function () {
      if (!pingedAt) {
        pingedAt = settings.now();
        unsent = channel.bufferedAmount;
        // Of two pings that are read together the server may answer the later one alone.
        send(PING, isProving ? session.padding() : '');
        schedule();
      }
    },

    drop: function (_, code, farewell) {
      if (isStopped) {
        return;
      }
      isStopped = true;
      timer.stop();
      if (farewell && isAttached && !isCloseSent) {
        send(CLOSE, farewell);
      }
      if (channel.close) {
        // A page may use no other codes.
        channel.close(code && code >= 3000 ? code : 1000);
      }
    }
  });

  /**
   * @param {string} letter
   * @param {any} content
   */
  function send(letter, content) {
    channel.send(/** @type {any} */ (encodeFrame(letter, content)));
  }

  /**
   * @param {string} outcome
   * @param {string | number} [detail]
   */
  function lost(outcome, detail) {
    if (!isStopped) {
      leg.drop();
      feed('lost', WEBSOCKET, outcome, detail);
    }
  }

  /** @param {MessageEvent} event */
  function receive(event) {
    if (isStopped) {
      return;
    }
    heardAt = settings.now();
    pingedAt = 0;
    session.handleHeard();
    // Of a stall that the proof's budget found, only the negotiation knows.
    if (isStalled || isProving) {
      isStalled = false;
      feed('heard');
    }
    withFaults(function () {
      var packet = decodeFrame(event.data);
      var letter = packet.letter;
      if (!handlers[letter] || (isAttached ? letter === OPENED : !/[Ocpq-]/.test(letter))) {
        throw protocolError();
      }
      handlers[letter](packet.content, letter);
      if (!isStopped && isAttached) {
        schedule();
      }
    }, function (code, name) {
      // What is malformed before the attach may be of something in between; what *opened* says is not.
      if (isAttached || code !== 4960) {
        // What *opened* says has attached, whatever it says: the server is told.
        isAttached = true;
        session.abort(code, name);
      } else {
        lost('closed', name);
      }
    });
  }

  // What each packet does.
  /** @type {{ [letter: string]: (content: any, letter: string) => void }} */
  var handlers = {};

  handlers[OPENED] = function (content) {
    var opened = session.handleOpened(content);
    up = opened['received'];
    if (up < base) {
      throw createFault(4934, 'state-lost');
    }
    if (up < outbox.base) {
      // It is late: a newer connection has brought more.
      lost('superseded');
      return;
    }
    upBytes = outbox.gone;
    down = opened.first;
    isAttached = true;
    feed('attached', WEBSOCKET);
    if (!isStopped) {
      leg.transmit();
    }
  };

  handlers[CLOSE] = function (/** @type {Close} */ close) {
    if (isRetry(close.code)) {
      lost(close.code === SUPERSEDED_CODE ? 'superseded' : 'refused', close.code);
    } else if (isAttached) {
      session.handleClose(close);
    } else {
      session.handleRefusal(close.code, close.reason);
    }
  };

  handlers[PONG] = function (content) {
    if (content === session.padding()) {
      isProving = false;
      feed('proven', WEBSOCKET);
    }
  };

  handlers[PING] = function (content) {
    send(PONG, content);
    acknowledge();
  };

  handlers[ACK] = function (content) {
    // The server counts what comes here, so nothing may be left out (PROTOCOL §5.5).
    session.handleAck(content, up);
    busySince = outbox.base < up || isCloseSent ? settings.now() : 0;
    leg.transmit();
  };

  handlers[SUPERSEDED] = function () {
    lost('superseded');
  };

  handlers[PADDING] = ignore;

  handlers[TEXT] = handlers[BINARY] = function (content, letter) {
    unackedSince = unacked++ ? unackedSince : heardAt;
    // Characters for bytes is close enough for a threshold.
    unackedBytes += content.length;
    session.handleMessage(down++, letter, content);
    // Timers of a page in the background are late, so each message looks at the time too.
    if (!isStopped) {
      acknowledgeIfDue();
    }
  };

  function acknowledgeIfDue() {
    if (unacked >= MAX_UNACKED || unackedBytes >= MAX_UNACKED_BYTES ||
        settings.now() - unackedSince >= limits.ackDelayMs) {
      acknowledge();
    }
  }

  function acknowledge() {
    if (unacked) {
      unacked = unackedBytes = 0;
      send(ACK, session.received);
    }
  }

  /** Arranges the next tick: for an ack or a ping that is due, or a ping that nobody answers. */
  function schedule() {
    var time = dueAt();
    timer.by(unacked ? Math.min(time, unackedSince + limits.ackDelayMs) : time);
  }

  function patienceMs() {
    // Messages may be on the way before the ping (NEGOTIATION §3.4).
    return isStalled ? deadMs() :
      Math.min(STALL_MS + outbox.bytes / session.bytesPerMs, deadMs());
  }

  function deadMs() {
    return limits.heartbeatTimeoutMs + outbox.bytes / SLOW_BYTES_PER_MS;
  }

  /** When a ping is due, or an answer to one. */
  function dueAt() {
    if (pingedAt) {
      return pingedAt + patienceMs();
    }
    // The server pings first in an idle session, so the client waits a quarter longer.
    var time = heardAt + limits.heartbeatMs * 1.25;
    return busySince ?
      Math.min(time, Math.max(heardAt, busySince) + 2 * limits.ackDelayMs) : time;
  }

  function tick() {
    var now = settings.now();
    if (now >= dueAt()) {
      if (!pingedAt) {
        leg.check();
      } else if (channel.bufferedAmount < unsent) {
        // A line that takes bytes is slow, not dead: the ping is still behind them.
        pingedAt = now;
        unsent = channel.bufferedAmount;
      } else if (now - pingedAt >= deadMs()) {
        lost('stalled');
        return;
      } else {
        isStalled = true;
        if (outbox.bytes > LARGE_BYTES) {
          session.bytesPerMs = Math.max(session.bytesPerMs / 2, SLOW_BYTES_PER_MS);
        }
        feed('stalled');
      }
    }
    acknowledgeIfDue();
    schedule();
  }

  return leg;
}

/**
 * Owns one leg as the negotiation sees it, and the durations of NEGOTIATION §8.
 * Leaves what becomes of it to negotiation.js.
 */

var WEBSOCKET = 'websocket';
var POLL = 'poll';

/** Before a WebSocket is attached, a phase may take so long; after it, the proof at most. */
var SILENCE_MS = 5000;
var MIN_PROOF_MS = 1000;
/** How long a WebSocket that seems to have superseded polling may take to say so. */
var GRACE_MS = 1000;
/** After so long a proven WebSocket was worth it. */
var STEADY_MS = 10000;
/** How long the WebSocket is alone where it was proven before. */
var MIN_DELAY_MS = 100;
var MAX_DELAY_MS = 1000;

/**
 * @param {string} leg
 * @param {any} isAllowed
 * @returns {Line}
 */
function createLine(leg, isAllowed) {
  return /** @type {Line} */ ({ leg: leg, phase: '', failures: 0, isAllowed: isAllowed });
}

/** @param {Line} line */
function isAttached(line) {
  return line.phase === 'proof' || line.phase === 'carry';
}

/**
 * @param {number} value
 * @param {number} min
 * @param {number} max
 */
function clamp(value, min, max) {
  return Math.max(min, Math.min(max, value));
}

/**
 * Owns how attempts to connect went: for the application, and as reports for the server
 * (NEGOTIATION §9, PROTOCOL §7.6).
 * Leaves what an attempt is to negotiation.js.
 */

var TRACE_LENGTH = 64;
/** In one go. */
var MAX_REPORTS = 16;

/** @returns {Trace} */
function createTrace() {
  var noted = 0;
  var hasTrouble = false;
  // What the server has not been told.
  /** @type {Packet[]} */
  var unreported = [];

  /** @type {Trace} */
  var trace = {
    attempts: [],

    note: function (leg, phase, ms, outcome, detail) {
      ms = Math.round(ms);
      hasTrouble = hasTrouble || !/^(ok|dropped)/.test(outcome);
      trace.attempts.push({
        'leg': leg, 'phase': phase, ms: ms, result: outcome + (detail ? ' ' + detail : '')
      });
      unreported.push(newPacket(REPORT, [++noted, leg, phase, ms, outcome].join(' ')));
      trace.attempts.splice(0, trace.attempts.length - TRACE_LENGTH);
      unreported.splice(0, unreported.length - TRACE_LENGTH);
    },

    reports: function () {
      return hasTrouble ? unreported.slice(0, MAX_REPORTS) : [];
    },

    handleReported: function (packets) {
      for (var i = 0; i < packets.length; i++) {
        if (packets[i] === unreported[0]) {
          unreported.shift();
        }
      }
    }
  };
  return trace;
}

/**
 * Owns the packet: its letters, the contents that have a form, and its WebSocket frame
 * (PROTOCOL §3, §5.4).
 * Leaves runs of packets to payload.js, and what a packet does to session.js and the legs.
 */

var OPEN = 'o';
var ATTACH = 'x';
var OPENED = 'O';
var OFFSET = 'n';
var TEXT = 't';
var BINARY = 'b';
var ACK = 'a';
var PING = 'p';
var PONG = 'q';
var CLOSE = 'c';
var SUPERSEDED = 's';
var REPORT = 'r';
var PADDING = '-';

/** Begins every text frame that is not simply a message. */
var ESCAPE = '\x10';

var MAX_NUMBER = 9007199254740991;
var MAX_REASON_BYTES = 123;

/** "A newer connection carries the session." */
var SUPERSEDED_CODE = 4900;

/**
 * @param {number} code
 * @param {string} name as PROTOCOL §8.3 has them
 * @returns {Fault}
 */
function createFault(code, name) {
  return { code: code, message: name };
}

/**
 * Runs what a peer's packets cause. Whatever else it throws is no fault of the peer.
 * @param {() => void} work
 * @param {(code: number, name: string) => void} failed
 */
function withFaults(work, failed) {
  try {
    work();
  } catch (error) {
    var fault = /** @type {Fault} */ (error);
    if (!fault.code) {
      throw error;
    }
    failed(fault.code, fault.message);
  }
}

function protocolError() {
  return createFault(4960, 'protocol-error');
}

/**
 * A number as PROTOCOL §1.6 wants it.
 * @param {string} text
 */
function parseNumber(text) {
  var number = /^(0|[1-9]\d{0,15})$/.test(text) ? +text : NaN;
  if (!(number <= MAX_NUMBER)) {
    throw protocolError();
  }
  return number;
}

/**
 * @param {string} content of a close packet
 * @returns {Close}
 */
function parseClose(content) {
  // The codes are those that a WebSocket's close may carry (PROTOCOL §3.5).
  var parts = /^(10(?:0[0-37-9]|1[0-4])|[34]\d{3})(?: ([\s\S]*))?$/.exec(content);
  var reason = parts && parts[2] || '';
  if (!parts || utf8Length(reason) > MAX_REASON_BYTES) {
    throw protocolError();
  }
  return { code: +parts[1], reason: reason };
}

/**
 * @param {number} code
 * @param {string} reason
 */
function closeContent(code, reason) {
  return code + (reason ? ' ' + reason : '');
}

/**
 * Whether a code says that the session lives (PROTOCOL §8.3).
 * @param {number} code
 */
function isRetry(code) {
  return code >= SUPERSEDED_CODE && code < 4930;
}

/**
 * @param {string} letter
 * @param {any} content
 * @returns {Packet}
 */
function newPacket(letter, content) {
  return { letter: letter, content: content };
}

/**
 * A packet from the wire, with a number or a close in place of a content that has such a form.
 * Contents that only the server reads are not looked into.
 * @param {string} letters that may stand here
 * @param {string} letter
 * @param {any} content
 * @returns {Packet}
 */
function checkPacket(letters, letter, content) {
  if (!letter || letters.indexOf(letter) < 0 || (letter === SUPERSEDED && content)) {
    throw protocolError();
  }
  if (letter === ACK || letter === OFFSET) {
    content = parseNumber(content);
  } else if (letter === CLOSE) {
    content = parseClose(content);
  }
  return newPacket(letter, content);
}

/**
 * @param {string} letter
 * @param {any} content
 * @returns {string | ArrayBuffer} what WebSocket's `send` takes
 */
function encodeFrame(letter, content) {
  if (letter === BINARY) {
    return content.buffer;
  }
  if (letter === TEXT) {
    return content.charAt(0) === ESCAPE ? ESCAPE + content : content;
  }
  return ESCAPE + letter + content;
}

/**
 * @param {string | ArrayBuffer} frame
 * @returns {Packet}
 */
function decodeFrame(frame) {
  if (typeof frame !== 'string') {
    return newPacket(BINARY, new Uint8Array(frame));
  }
  if (frame.charAt(0) !== ESCAPE) {
    return newPacket(TEXT, frame);
  }
  if (frame.charAt(1) === ESCAPE) {
    return newPacket(TEXT, frame.substr(1));
  }
  return checkPacket('oxOapqcsr-', frame.charAt(1), frame.substr(2));
}

/**
 * Owns the session: who it is, what was received, what is kept to be sent, and how it ends.
 * Leaves the connections to the legs, and which of them carries it to negotiator.js.
 */

var UNKNOWN_SESSION = 4930;

/**
 * What this client can beyond version 1 (PROTOCOL §2.5), by name.
 * @type {string[]}
 */
var CAN = [];

/** Of padding in a question that proves a leg, up and down (NEGOTIATION §1.2). */
var PROOF_BYTES = 16384;

/** How long an open with messages waits for a first answer. */
var EARLY_HOLD_MS = 1000;

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
  var outbox = createOutbox();
  // *Opened* brings the others (PROTOCOL §7); these are needed before.
  /** @type {any} */
  var limits = { heartbeatTimeoutMs: 8000, maxPayloadBytes: 65536 };
  // The answer to a close is not waited for longer than until then.
  var closeBy = 0;
  var closeTimer = createTimer(clock, expire);

  /** @type {Session} */
  var session = {
    id: '',
    protocol: '',
    bytesPerMs: 256,
    limits: limits,
    received: 0,
    outbox: outbox,
    closing: null,
    isCloseSent: false,
    ended: false,
    hasDropped: false,

    padding: function () {
      return new Array(Math.min(PROOF_BYTES, limits.maxPingBytes) + 1).join('.');
    },

    offer: function (generation) {
      return ['anywire.open.' + key + '.' + generation].concat(
        CAN.length ? 'anywire.can.' + CAN.join('.') : [], protocols);
    },

    openContent: function (generation) {
      return JSON.stringify({
        version: 1,
        key: key,
        generation: generation,
        // So that a first answer may share the exchange with first messages (PROTOCOL §6.3).
        holdMs: outbox.end && EARLY_HOLD_MS,
        protocols: protocols,
        can: CAN
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
      if (opened.first > session.received) {
        throw createFault(4961, 'gap');
      }
      if (!session.id) {
        session.id = opened.session;
        secret = opened.secret;
        session.protocol = opened.protocol || '';
      }
      for (var name in opened['limits']) {
        var limit = opened['limits'][name];
        // A server that holds nothing says so with 0, which makes no sense elsewhere.
        if (limit > 0 || (limit === 0 && name === 'holdMs')) {
          limits[name] = limit;
        }
      }
      session.handleAck(opened['received'], opened['received']);
      return opened;
    },

    handleMessage: function (offset, letter, content) {
      if (offset > session.received) {
        throw createFault(4961, 'gap');
      }
      if (offset === session.received) {
        // The browser may fail here. Then the message has not been received, and comes again.
        var data = letter === TEXT ? content : handlers.toData(content);
        session.received++;
        handlers.onmessage(data);
      }
    },

    handleAck: function (received, carried) {
      if (outbox.ack(received, carried)) {
        handlers.onbuffer();
        awaitClose();
      }
    },

    handleHeard: function () {
      if (isNextToClose()) {
        closeTimer.set(Math.min(limits.closeTimeoutMs, closeBy - clock.now()));
      }
    },

    handleClose: function (close) {
      var own = session.closing;
      var isAnswer = own && own.code === close.code && own.reason === close.reason;
      if (!isAnswer) {
        // Where it crosses our own, the server's counts (PROTOCOL §8.2), and must be answered.
        session.closing = null;
      }
      session.end(close.code, close.reason, !!isAnswer || close.code < 4900, true);
    },

    handleRefusal: function (code, message) {
      if (code === UNKNOWN_SESSION && session.closing && session.isCloseSent) {
        // The server has closed already; only its answer was lost (PROTOCOL §8.2.1).
        endWithOwnClose(true);
      } else {
        session.end(code, message || '');
      }
    },

    send: function (data) {
      if (session.ended || session.hasDropped) {
        return;
      }
      var message = createMessage(data);
      if (message.bytes > limits.maxMessageBytes) {
        abortSoon(4964, 'too-large');
      } else if (outbox.bytes + message.bytes > MAX_OUTBOX_BYTES) {
        abortSoon(4932, 'too-slow');
      } else {
        outbox.push(message);
        handlers.onbuffer();
        handlers.ontransmit();
        if (message.content === null) {
          readBlob(data, function (buffer) {
            message.content = new Uint8Array(buffer);
            handlers.ontransmit();
          }, function () {
            session.abort(1011, 'Blob');
          });
        }
      }
    },

    close: function (code, reason) {
      if (session.hasDropped) {
        return;
      }
      session.closing = { code: code, reason: reason };
      awaitClose();
      handlers.ontransmit();
    },

    expire: expire,

    abort: function (code, reason) {
      // A close that is on its way does not tell the server of this.
      session.closing = null;
      session.end(code, reason, false, true);
    },

    end: function (code, reason, wasClean, isToBeTold) {
      if (!session.ended) {
        session.ended = true;
        closeTimer.stop();
        handlers.onend(code, reason, wasClean, isToBeTold);
      }
    }
  };

  /**
   * The application hears of the end when its call has returned. Until then nothing may follow
   * the message that was dropped.
   * @param {number} code
   * @param {string} name
   */
  function abortSoon(code, name) {
    session.hasDropped = true;
    soon(clock, function () {
      session.abort(code, name);
    });
  }

  function expire() {
    if (session.closing) {
      endWithOwnClose(false);
    } else if (session.id) {
      session.end(4931, 'expired');
    } else {
      session.end(1006, 'no connection');
    }
  }

  /** Whether nothing but the answer to our close is missing. */
  function isNextToClose() {
    return session.closing && outbox.base === outbox.end;
  }

  /**
   * For as long as the server shows life, but not for ever (PROTOCOL §8.1). While messages must come before the
   * close, each of them may take as long.
   */
  function awaitClose() {
    if (session.closing) {
      var longestMs = Math.max(limits.closeTimeoutMs, limits.resumeWindowMs);
      closeBy = clock.now() + longestMs;
      closeTimer.set(isNextToClose() ? limits.closeTimeoutMs : longestMs);
    }
  }

  /** @param {boolean} wasClean */
  function endWithOwnClose(wasClean) {
    var closing = /** @type {Close} */ (session.closing);
    session.end(closing.code, closing.reason, wasClean);
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
      !(opened['received'] >= 0) || !(opened.first >= 0)) {
    throw protocolError();
  }
  return opened;
}

/**
 * @param {any} text
 * @returns {any} an empty object if it is not JSON
 */
function parseJson(text) {
  try {
    return JSON.parse(text) || {};
  } catch (error) {
    return {};
  }
}

/**
 * Owns the binary encoding of payloads (PROTOCOL §4.2).
 */

/** @type {Encoding} */
var BINARY_ENCODING = {
  contentType: 'application/octet-stream',
  pack: encodeBytes,
  unpack: function (body) {
    return decodeBytes(new Uint8Array(body));
  },
  toText: function (body) {
    return new TextDecoder().decode(body || undefined);
  }
};

/** @param {Packet[]} packets */
function encodeBytes(packets) {
  var encoder = new TextEncoder();
  var contents = [];
  var length = 0;
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    contents[i] = packets[i].letter === BINARY ? content : encoder.encode(content);
    length += contents[i].length + 6;
  }
  var bytes = new Uint8Array(length);
  var at = 0;
  for (i = 0; i < packets.length; i++) {
    for (length = contents[i].length; length > 127; length >>= 7) {
      bytes[at++] = 128 | (length & 127);
    }
    bytes[at++] = length;
    bytes[at++] = packets[i].letter.charCodeAt(0);
    bytes.set(contents[i], at);
    at += contents[i].length;
  }
  return bytes.subarray(0, at);
}

/** @param {Uint8Array} bytes */
function decodeBytes(bytes) {
  // Without these options a byte order mark would vanish, and broken UTF-8 would pass.
  var decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  var packets = [];
  var at = 0;
  while (at < bytes.length) {
    var length = 0;
    var scale = 1;
    var group;
    do {
      group = bytes[at++];
      length += (group & 127) * scale;
      scale *= 128;
    } while (group > 127 && scale < 34359738368);
    // The last group must end the number, exist, and not be a zero that says nothing.
    if (!(group < 128) || (!group && scale > 128) || at + 1 + length > bytes.length) {
      throw protocolError();
    }
    var letter = String.fromCharCode(bytes[at++]);
    /** @type {any} */
    var content = new Uint8Array(bytes.subarray(at, at + length));
    packets.push(checkPacket(
      LETTERS, letter, letter === BINARY ? content : decoder.decode(content)));
    at += length;
  }
  return packets;
}

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

/**
 * @param {NegotiationSettings} settings
 * @param {{ [leg: string]: any }} allowed which legs there are
 * @param {string | number} memory of this origin: ms, 'fails' or ''
 * @returns {Negotiation}
 */
function createNegotiation(settings, allowed, memory) {
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

/**
 * Owns what the page's life means to a session: that it was shown again, came online, changed its
 * network, or slept (NEGOTIATION §7). There is no listener that keeps a page out of the
 * back-forward cache, such as one for `unload`.
 * Leaves what is to be done then to the negotiation.
 */

var LOOK_MS = 5000;
/** The clock may be set by a little, a timer may be late by a little; beyond this is a sleep. */
var SLEEP_MS = 5000;

/**
 * @param {Settings} settings
 * @param {(hasNewNetwork: boolean) => void} returned called at most once in a turn
 * @returns {() => void} stops listening
 */
function watchPage(settings, returned) {
  var page = root.document;
  var connection = root.navigator && root.navigator.connection;
  var network = connection && connection.type;
  var hasNewNetwork = false;
  var hasReturned = false;
  var lookedAt = 0;
  var jumpAt = 0;
  // What comes together in one turn is one return.
  var timer = createTimer(settings, function () {
    // While a machine sleeps the monotonic clock stands still, or else timers are late. Those of a
    // hidden page are late anyway; it is asked when it is shown.
    var isBack = hasReturned || settings.date() - settings.now() > jumpAt + SLEEP_MS ||
      !(page && page.hidden) && settings.now() > lookedAt + LOOK_MS + SLEEP_MS;
    var isNew = hasNewNetwork;
    hasReturned = hasNewNetwork = false;
    look();
    if (isBack) {
      returned(isNew);
    }
  });

  function look() {
    lookedAt = settings.now();
    jumpAt = settings.date() - lookedAt;
    timer.set(LOOK_MS);
  }

  /** @param {any} event */
  function listener(event) {
    var before = network;
    network = connection && connection.type;
    var isNew = network !== before || event.type === 'online';
    // A change may be of the line's speed alone. A page that is shown for the first time has lost
    // nothing, nor has one that is hidden.
    if (!(event.type === 'change' && !isNew || event.persisted === false ||
        event.type === 'visibilitychange' && page.hidden)) {
      hasNewNetwork = hasNewNetwork || isNew;
      hasReturned = true;
      timer.set(0);
    }
  }

  /** @param {string} method */
  function each(method) {
    /** @type {{ [type: string]: any }} */
    var targets = {
      online: root, offline: root, pageshow: root,
      visibilitychange: page, resume: page,
      change: connection
    };
    for (var type in targets) {
      if (targets[type] && targets[type][method]) {
        targets[type][method](type, listener);
      }
    }
  }

  each('addEventListener');
  look();

  return function () {
    each('removeEventListener');
    timer.stop();
  };
}

/**
 * Owns the public object: a WebSocket to whoever holds it.
 * Leaves everything behind it to the session and the negotiator, which it joins.
 *
 * What differs from a WebSocket is said here, and with reasons in the README:
 * - `transport` and the event of that name tell what carries the session: '' before it is open and
 *   after it has closed, 'websocket', 'poll' (in the full build also 'stream', 'events' and 'jsonp'),
 *   or 'reconnecting' while nothing does.
 * - A lost connection is no close. The session goes on over another one.
 * - `bufferedAmount` counts what the server has not acknowledged.
 * - `close()` without a code closes with 1000. The codes 4900 to 4999 are the protocol's own.
 * - `error` comes where a session did not open, after trying for a while, and with codes from 4960 on.
 * - A server that chose none of the sub-protocols is no error.
 * - Events have the members of the real ones, not their classes. In the full build they are plain objects, and of a
 *   listener's options `once` counts.
 */

var CONNECTING = 0;
var IS_OPEN = 1;
var CLOSING = 2;
var CLOSED = 3;

var EVENTS = ['open', 'message', 'error', 'close', 'transport'];

/**
 * @constructor
 * @this {AnywireObject}
 * @param {string} url
 * @param {string | string[]} [protocols]
 * @param {any} [options] see index.d.ts
 */
function Anywire(url, protocols, options) {
  var socket = newTarget(this);
  var endpoints = resolveEndpoints('' + url);
  socket.url = endpoints.url;
  socket.readyState = CONNECTING;
  socket.protocol = socket.extensions = socket.transport = '';
  socket.bufferedAmount = 0;
  socket.binaryType = chooseBinaryType();
  socket._client = createClient(socket, endpoints, checkProtocols(protocols), options);
  return socket;
}

/** @type {ThisType<AnywireObject>} */
Anywire.prototype = newPrototype({
  constructor: Anywire,

  /**
   * @param {any} data
   */
  send: function (data) {
    if (this.readyState === CONNECTING) {
      throw newError('InvalidStateError', 'still connecting');
    }
    this._client.send(data);
  },

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close: function (code, reason) {
    var number = code === undefined ? 1000 : Math.round(code);
    if (number !== 1000 && !(number >= 3000 && number < 4900)) {
      throw newError('InvalidAccessError', 'code ' + code);
    }
    reason = wellFormed(reason === undefined ? '' : '' + reason);
    if (utf8Length(reason) > MAX_REASON_BYTES) {
      throw newError('SyntaxError', 'long reason');
    }
    if (this.readyState < CLOSING) {
      this._client.close(number, reason);
    }
  },

  /**
   * For demonstrations and tests: drop a transport now, and use it no more until it is unblocked.
   * With all of them blocked the session waits, as long as its resume window lasts.
   * @param {string} transport 'websocket' or 'poll'
   */
  block: function (transport) {
    this._client.allow(transport, false);
  },

  /**
   * @param {string} transport
   */
  unblock: function (transport) {
    this._client.allow(transport, true);
  }
});

var STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
for (var state = STATES.length; state--;) {
  /** @type {any} */ (Anywire)[STATES[state]] =
    /** @type {any} */ (Anywire.prototype)[STATES[state]] = state;
}

/**
 * @param {string | string[]} [protocols]
 * @returns {string[]}
 */
function checkProtocols(protocols) {
  /** @type {string[]} */
  var list = protocols === undefined ? [] : [].concat(/** @type {any} */ (protocols));
  var seen = ' ';
  for (var i = 0; i < list.length; i++) {
    list[i] += '';
    if (!/^(?!anywire\.)[!#$%&'*+\-.\^_`|~0-9A-Za-z]+$/.test(list[i]) ||
        seen.indexOf(' ' + list[i] + ' ') >= 0) {
      throw newError('SyntaxError', 'protocol ' + list[i]);
    }
    seen += list[i] + ' ';
  }
  return list;
}

/**
 * Owns the browser's WebSocket.
 * Leaves what goes over it to websocket-leg.js.
 */

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {string[]} protocols
 * @param {() => void} opened
 * @param {(event: MessageEvent) => void} received
 * @param {(outcome: string, detail: string) => void} closed
 * @returns {WebSocket} or what cannot even be closed
 */
function openWebSocket(settings, url, protocols, opened, received, closed) {
  /** @type {any} */
  var socket = {};
  try {
    socket = new settings.WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
  } catch (error) {
    soon(settings, function () {
      closed('failed', '' + error);
    });
  }
  socket.onopen = opened;
  socket.onmessage = received;
  // Some engines tell of an error alone.
  socket.onclose = socket.onerror = function (/** @type {CloseEvent} */ event) {
    closed('closed', '' + event.code);
  };
  return socket;
}

/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down, and how long
 * nothing may move. The modern build's; old/exchange.js is the full one's.
 * Leaves what is in them to poll-leg.js.
 */

/** @type {Exchange} */
function startExchange(settings, endpoints, encoding, body, patienceMs, answered, failed) {
  /** @type {XMLHttpRequest} */
  var request = new settings.XMLHttpRequest();
  var outcome = 'silent';
  var detail = 'no answer';
  var timer = createTimer(settings, function () {
    stop();
    failed(outcome, detail);
  });

  function wait() {
    timer.set(patienceMs);
  }

  function stop() {
    request.onloadend = null;
    request.abort();
    // After that: it may have told of progress once more.
    timer.stop();
  }

  request.upload.onprogress = request.onprogress = wait;
  request.onloadend = function () {
    timer.stop();
    var status = request.status;
    if (status === 200) {
      answered(request.response);
    } else {
      failed(status ? 'refused' : 'closed', whatFailed(status, endpoints.poll),
        encoding.toText(request.response), +(request.getResponseHeader('Retry-After') || 0) * 1000);
    }
  };
  wait();
  try {
    request.open('POST', endpoints.poll);
    request.setRequestHeader('Content-Type', encoding.contentType);
    request.withCredentials = settings.withCredentials;
    request.responseType = 'arraybuffer';
    request.send(body);
  } catch (error) {
    // What guards a page may forbid a request.
    outcome = 'failed';
    detail = '' + error;
    timer.set(0);
  }
  return stop;
}

if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else if (typeof define === 'function' && define.amd) {
  define([], function () {
    return Anywire;
  });
} else {
  root.Anywire = Anywire;
}
}(typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this));
