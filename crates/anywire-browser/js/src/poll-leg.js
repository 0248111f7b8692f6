/**
 * Owns how HTTP exchanges carry a session: one that is held for what comes down, and beside it one
 * that sends (PROTOCOL §6).
 * Leaves to negotiator.js when to try it, and what follows when an exchange fails.
 *
 * The first exchange is not held: it opens or attaches, sends what waits, and its answer proves the
 * path. Only then is one held and may another send.
 */

/** Leaves room for what stands beside the messages: attach, offset and close. */
var MAX_BATCH = 1000;
var BESIDE_BYTES = 512;

/** How long the rest waits when the server left messages of a request out (PROTOCOL §6.6). */
var FULL_INBOX_MS = 250;

/** How often longer than a ping an exchange may take that sends much. */
var SEND_PATIENCE = 3;

/**
 * @param {Session} session
 * @param {() => Transport} newTransport makes the transport of one exchange
 * @param {boolean} binary the encoding of its payloads
 * @param {Clock} clock
 * @param {number} generation
 * @returns {Leg}
 */
function createPollLeg(session, newTransport, binary, clock, generation) {
  var isStopped = false;
  var isSynced = false;
  var isSending = true;
  var isCloseSent = false;
  var batchEnd = 0;
  /** @type {{ [slot: string]: () => void }} */
  var aborts = {};
  var sendTimer = createTimer(clock, send);

  var leg = /** @type {Leg} */ ({
    name: 'poll',
    phase: session.id ? 'attach' : 'open',
    start: function () {
      exchange('hold', 0, synced, session.id ? [attach(0)].concat(upward()) :
        [newPacket(OPEN, session.openContent(generation))]);
    },

    transmit: function () {
      if (!isSending && !sendTimer.isRunning() && hasUpward()) {
        // After this turn, so that all that is sent in it shares one request.
        sendTimer.set(0);
      }
    },

    stop: function (close) {
      isStopped = true;
      sendTimer.stop();
      for (var slot in aborts) {
        aborts[slot]();
      }
      if (close && close.tell && session.id) {
        var transport = newTransport();
        transport.onpayload = transport.onclose = ignore;
        transport.open();
        transport.send(encodePayload([attach(), newPacket(CLOSE, closeContent(close))], binary));
      }
    }
  });

  function synced() {
    sent();
    hold();
  }

  function hold() {
    exchange('hold', session.limits.holdMs, hold, [attach(session.limits.holdMs)]);
  }

  function send() {
    isSending = true;
    exchange('send', 0, sent, [attach()].concat(upward()));
  }

  function sent() {
    isSending = false;
    if (session.outbox.first < batchEnd) {
      // The server had no room. It has not taken a close that followed either.
      sendTimer.set(FULL_INBOX_MS);
    } else {
      leg.transmit();
    }
  }

  function hasUpward() {
    return session.outbox.first < session.outbox.end || (session.closing && !isCloseSent);
  }

  /** The packets that go up now. */
  function upward() {
    var first = session.outbox.first;
    /** @type {Packet[]} */
    var packets = session.outbox.batch(session.limits.maxPayloadBytes - BESIDE_BYTES, MAX_BATCH);
    batchEnd = first + packets.length;
    if (packets.length) {
      packets.unshift(newPacket(OFFSET, '' + first));
    }
    if (session.closing && batchEnd === session.outbox.end) {
      isCloseSent = true;
      packets.push(newPacket(CLOSE, closeContent(session.closing)));
    }
    return packets;
  }

  /**
   * @param {number} [holdMs]
   */
  function attach(holdMs) {
    return newPacket(ATTACH, session.attachContent(generation, holdMs));
  }

  /**
   * @param {string} slot
   * @param {number} holdMs how long the server may wait
   * @param {() => void} next
   * @param {Packet[]} packets
   */
  function exchange(slot, holdMs, next, packets) {
    var transport = newTransport();
    var timer = createTimer(clock, function () {
      lost('no answer');
    });

    function finish() {
      timer.stop();
      delete aborts[slot];
    }

    transport.onpayload = function (payload) {
      finish();
      receive(payload);
      if (!isStopped) {
        next();
      }
    };
    transport.onclose = function (why, body, retryAfterMs) {
      finish();
      refused(why, parseJson(body || ''), retryAfterMs);
    };
    aborts[slot] = function () {
      finish();
      transport.close();
    };

    // What is not held may be long, and its line slow.
    timer.set(holdMs + session.limits.heartbeatTimeoutMs * (holdMs ? 1 : SEND_PATIENCE));
    transport.open();
    transport.send(encodePayload(packets, binary));
  }

  /** @param {string | ArrayBuffer} payload */
  function receive(payload) {
    withFaults(function () {
      var packets = decodeAnswer(payload);
      session.heardAt = clock.now();
      withFaults(function () {
        handleAnswer(packets);
      }, session.abort);
    }, function () {
      // Something between here and the server has answered.
      lost('not an answer');
    });
  }

  /**
   * Decodes an answer as a whole, so that nothing of a broken one is taken (PROTOCOL §6.2).
   * @param {string | ArrayBuffer} payload
   */
  function decodeAnswer(payload) {
    var packets = decodePayload(payload);
    var letters = '';
    for (var i = 0; i < packets.length; i++) {
      letters += packets[i].letter;
    }
    if (!/^O?a(n[tb]*)?c?$/.test(letters) || (letters.charAt(0) !== OPENED && !session.id)) {
      throw protocolError();
    }
    return packets;
  }

  /** @param {Packet[]} packets */
  function handleAnswer(packets) {
    var offset = 0;
    for (var i = 0; i < packets.length && !isStopped; i++) {
      var letter = packets[i].letter;
      var content = packets[i].content;
      if (letter === OPENED) {
        session.handleOpened(content);
      } else if (letter === ACK) {
        session.handleAck(parseNumber(content));
        attached();
      } else if (letter === OFFSET) {
        offset = parseNumber(content);
      } else if (letter === CLOSE) {
        handleClose(parseClose(content));
      } else {
        session.handleMessage(offset++, letter, content);
      }
    }
  }

  function attached() {
    if (!isSynced) {
      isSynced = true;
      leg.phase = 'carrying';
      leg.onattach();
    }
  }

  /** @param {Close} close */
  function handleClose(close) {
    if (isRetry(close.code)) {
      lost('close ' + close.code, close.code);
    } else {
      session.handleClose(close);
    }
  }

  /**
   * @param {string} why
   * @param {any} refusal of PROTOCOL §8.4, if the server wrote the answer and nobody between
   * @param {number} [retryAfterMs]
   */
  function refused(why, refusal, retryAfterMs) {
    if (refusal.code >= 4930 && refusal.code < 5000) {
      session.handleRefusal(refusal.code, refusal.message);
    } else {
      lost(why, refusal.code, retryAfterMs);
    }
  }

  /**
   * @param {string} why
   * @param {number} [code]
   * @param {number} [retryAfterMs]
   */
  function lost(why, code, retryAfterMs) {
    leg.stop();
    leg.onlost(why, code, retryAfterMs);
  }

  return leg;
}
