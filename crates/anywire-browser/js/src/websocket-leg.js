/**
 * Owns how one WebSocket carries a session: frames, the attach, acks and the heartbeat
 * (PROTOCOL §5, §7.2, §7.3).
 * Leaves to negotiator.js when to try it, and what follows when it is lost.
 *
 *   handshake --(offer)--------------------------> carrying
 *   handshake --(no offer: ping)--> proof --(pong: attach)--> attach --(opened)--> carrying
 */

/** A WebSocket that shows nothing for so long before it carries the session is dropped. */
var SILENCE_MS = 5000;
var MAX_UNACKED = 128;
var MAX_UNACKED_BYTES = 131072;

/**
 * @param {Session} session
 * @param {Transport} transport
 * @param {Clock} clock
 * @returns {WebSocketLeg}
 */
function createWebSocketLeg(session, transport, clock) {
  var timer = createTimer(clock, tick);
  var isStopped = false;
  var isCloseSent = false;
  // The offsets of the next message up and down.
  var up = 0;
  // Bytes of all messages before that one.
  var upBytes = 0;
  var down = 0;
  // Messages that came and are not acknowledged yet, and since when the oldest waits.
  var unacked = 0;
  var unackedBytes = 0;
  var unackedSince = 0;
  // When something was heard last; since when a message waits for its ack, and since when a ping
  // waits for an answer, or 0.
  var heardAt = 0;
  var busySince = 0;
  var pingedAt = 0;
  // What the browser had not sent yet when the ping was added to it.
  var unsent = 0;

  var leg = /** @type {WebSocketLeg} */ ({
    name: 'websocket',
    phase: 'handshake',
    start: function () {
      // Only the first leg of a session opens with the upgrade. A later one proves the path first,
      // so that a WebSocket which opens and then carries nothing does not disturb the session.
      var isOffer = !session.id;
      transport.onopen = function () {
        if (!isOffer) {
          leg.phase = 'proof';
          sendPacket(PING, '');
        }
      };
      transport.onpayload = receive;
      transport.onclose = function (why) { lost(why); };
      timer.set(SILENCE_MS);
      transport.open(isOffer ?
        ['anywire.v1', 'anywire.open.' + session.key + '.' + session.nextGeneration()]
          .concat(session.protocols) :
        ['anywire.v1']);
    },

    transmit: function () {
      // The server's acks, and so its application, say how much may be under way (PROTOCOL §7.5).
      while (up < session.outbox.end &&
          up - session.outbox.first < session.limits.windowMessages &&
          upBytes - session.outbox.gone < session.limits.windowBytes) {
        var message = session.outbox.take(up++);
        upBytes += message.size;
        busySince = busySince || clock.now();
        sendPacket(message.letter, message.content);
      }
      if (session.closing && !isCloseSent && up === session.outbox.end) {
        isCloseSent = true;
        sendPacket(CLOSE, closeContent(session.closing));
      }
      schedule();
    },

    check: function () {
      if (isCarrying() && !pingedAt) {
        pingedAt = clock.now();
        unsent = transport.buffered();
        sendPacket(PING, '');
        schedule();
      }
    },

    stop: function (close) {
      isStopped = true;
      timer.stop();
      if (close && close.tell && isCarrying()) {
        sendPacket(CLOSE, closeContent(close));
      }
      transport.close(close && close.code);
    }
  });

  function isCarrying() {
    return leg.phase === 'carrying';
  }

  /**
   * @param {string} why
   * @param {number} [code]
   */
  function lost(why, code) {
    leg.stop();
    leg.onlost(why, code);
  }

  /** @param {string | ArrayBuffer} frame */
  function receive(frame) {
    heardAt = clock.now();
    pingedAt = 0;
    withFaults(function () {
      var packet = decodeFrame(frame);
      handlePacket(packet.letter, packet.content);
      if (!isStopped && isCarrying()) {
        schedule();
      }
    }, function (code, name) {
      if (isCarrying()) {
        session.abort(code, name);
      } else {
        lost(name);
      }
    });
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function handlePacket(letter, content) {
    if (letter === OPENED && leg.phase !== 'proof' && !isCarrying()) {
      handleOpened(content);
    } else if (letter === CLOSE) {
      handleClose(content);
    } else if (letter === PONG) {
      if (leg.phase === 'proof') {
        leg.phase = 'attach';
        timer.set(SILENCE_MS);
        sendPacket(ATTACH, session.attachContent(session.nextGeneration()));
      }
    } else if (letter === PING) {
      sendPacket(PONG, content);
      acknowledge();
    } else if (!isCarrying()) {
      throw protocolError();
    } else if (letter === TEXT || letter === BINARY) {
      handleMessage(letter, content);
    } else if (letter === ACK) {
      session.handleAck(content);
      busySince = session.outbox.first < up ? clock.now() : 0;
      leg.transmit();
    } else if (letter === SUPERSEDED) {
      lost('superseded', 4900);
    } else {
      throw protocolError();
    }
  }

  /** @param {string} content */
  function handleOpened(content) {
    var opened = session.handleOpened(content);
    up = opened.received;
    upBytes = session.outbox.gone;
    down = opened.first;
    leg.phase = 'carrying';
    leg.onattach();
    if (!isStopped) {
      leg.transmit();
    }
  }

  /** @param {Close} close */
  function handleClose(close) {
    if (isRetry(close.code)) {
      lost('close ' + close.code, close.code);
    } else if (isCarrying()) {
      session.handleClose(close);
    } else {
      session.handleRefusal(close.code, close.reason);
    }
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function handleMessage(letter, content) {
    unackedSince = unacked++ ? unackedSince : heardAt;
    // Characters for bytes is close enough for a threshold.
    unackedBytes += content.length;
    session.handleMessage(down++, letter, content);
    // Timers of a page in the background are late, so each message looks at the time too.
    if (!isStopped && (unacked >= MAX_UNACKED || unackedBytes >= MAX_UNACKED_BYTES ||
        clock.now() - unackedSince >= session.limits.ackDelayMs)) {
      acknowledge();
    }
  }

  function acknowledge() {
    if (unacked) {
      unacked = unackedBytes = 0;
      sendPacket(ACK, session.received);
    }
  }

  /** Arranges the next tick: for an ack or a ping that is due, or a ping that nobody answers. */
  function schedule() {
    var time = pingedAt ? pingedAt + session.limits.heartbeatTimeoutMs : pingDueAt();
    timer.by(unacked ? Math.min(time, unackedSince + session.limits.ackDelayMs) : time);
  }

  function pingDueAt() {
    // The server pings first in an idle session, so the client waits a quarter longer.
    var time = heardAt + session.limits.heartbeatMs * 1.25;
    return busySince ?
      Math.min(time, Math.max(heardAt, busySince) + 2 * session.limits.ackDelayMs) : time;
  }

  function tick() {
    var now = clock.now();
    if (!isCarrying()) {
      lost('silent');
    } else if (pingedAt && now - pingedAt >= session.limits.heartbeatTimeoutMs) {
      if (transport.buffered() < unsent) {
        // A line that takes bytes is slow, not dead: the ping is still behind them.
        pingedAt = 0;
        leg.check();
      } else {
        lost('stalled', 4901);
      }
    } else {
      if (now - unackedSince >= session.limits.ackDelayMs) {
        acknowledge();
      }
      if (!pingedAt && now >= pingDueAt()) {
        leg.check();
      }
      schedule();
    }
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function sendPacket(letter, content) {
    transport.send(encodeFrame(letter, content));
  }

  return leg;
}
