/**
 * Owns how one WebSocket carries a session: frames, acks and the heartbeat
 * (PROTOCOL §5, §7.2, §7.3).
 * Leaves to the negotiation when to try it, how far it is, and what follows when it is lost.
 */

import { append, has, indexOf, max, min } from '../language.js';
import { MAX_UNACKED, MAX_UNACKED_BYTES, SLOW_BYTES_PER_MS } from '../limits.js';
import { createTimer, soon } from '../timers.js';
import { ignore, WEBSOCKET } from '../transport.js';
import { closeContent, isRetry, SUPERSEDED_CODE } from '../wire/close.js';
import { createFault, protocolError, withFaults } from '../wire/fault.js';
import { decodeFrame, encodeFrame } from '../wire/frame.js';
import {
  ACK, ATTACH, BINARY, BINARY_PART, CLOSE, CREDENTIAL, LEAVE, OPENED, PADDING, PING, PONG, REPORT, SUPERSEDED, TEXT, TEXT_PART,
} from '../wire/packet.js';

/** A question on an attached WebSocket that stays unanswered for so long makes it stalled. */
var STALL_MS = 2000;

/** When it stalls with more than this on the way, that tells what the line carries. */
var LARGE_BYTES = 65536;

/**
 * @param {Session} session
 * @param {string} url
 * @param {Settings} settings
 * @param {Feed} feed
 * @param {number} generation of its offer, or 0 for none
 * @returns {WebSocketLeg}
 */
export function createWebSocketLeg(session, url, settings, feed, generation) {
  var limits = session.limits_;
  var outbox = session.outbox_;
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
  // Of the next message, or part of one, up and down.
  /** @type {Place} */
  var up = [0, 0];
  /** @type {Place} */
  var down = [0, 0];
  // The next binary frame is a part.
  var isPart = false;
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

  /** @type {WebSocketLeg} */
  var leg = {
    start_: function () {
      base = outbox.base_;
      channel = openWebSocket(settings, url, session, generation, function () {
        if (!isStopped) {
          feed('connected');
        }
      }, receive, lost);
    },

    prove: function () {
      // What waits goes first.
      leg.transmit_();
      isProving = true;
      send(PING, session.padding_());
    },

    attach: function (_, generation) {
      base = outbox.base_;
      send(ATTACH, session.attachContent_(generation));
    },

    report_: function (trace) {
      var reports = trace.reports_();
      for (var i = 0; i < reports.length; i++) {
        send(REPORT, reports[i].content_);
      }
      trace.handleReported_(reports);
    },

    transmit_: function () {
      if (!isAttached || isStopped) {
        return;
      }
      // The server's acks, and so its application, say how much may be under way (PROTOCOL §7.5).
      /** @type {Packet | undefined} */
      var piece;
      while (up[0] - outbox.base_ < limits.windowMessages &&
          up[2] - outbox.gone_ - outbox.acked_ < limits.windowBytes &&
          (piece = outbox.next_(up, Infinity))) {
        busySince = busySince || settings.now();
        if (piece.letter_ === BINARY_PART) {
          send(BINARY_PART, '');
        }
        send(piece.letter_, piece.content_);
      }
      if (session.closing_ && !isCloseSent && up[0] === outbox.end_) {
        session.isCloseSent_ = isCloseSent = true;
        busySince = busySince || settings.now();
        send(CLOSE, closeContent(session.closing_.code, session.closing_.reason));
      }
      schedule();
    },

    renew_: function () {
      if (session.renewal_) {
        send(CREDENTIAL, session.renewal_);
      }
    },

    leave_: function (content) {
      // What the page still says would come too late behind it. For a page that is not kept the browser closes with 1001,
      // which says the same (PROTOCOL §8.8).
      if (content && isAttached && !isStopped) {
        send(LEAVE, content);
      }
    },

    check: function () {
      if (!pingedAt) {
        pingedAt = settings.now();
        unsent = channel.bufferedAmount;
        // Of two pings that are read together the server may answer the later one alone.
        send(PING, isProving ? session.padding_() : '');
        schedule();
      }
    },

    drop: function (_, code, farewell) {
      if (isStopped) {
        return;
      }
      isStopped = true;
      timer.stop_();
      if (farewell && isAttached && !isCloseSent) {
        send(CLOSE, farewell);
      }
      if (channel.close) {
        // A page may use no other codes.
        channel.close(code && code >= 3000 ? code : 1000);
      }
    }
  };

  /**
   * @param {string} letter
   * @param {string | Uint8Array} content
   */
  function send(letter, content) {
    channel.send(encodeFrame(letter, content));
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
    session.handleHeard_();
    // Of a stall that the proof's budget found, only the negotiation knows.
    if (isStalled || isProving) {
      isStalled = false;
      feed('heard');
    }
    withFaults(function () {
      var packet = decodeFrame(event.data);
      var letter = packet.letter_;
      if (!has(handlers, letter) || (isAttached ? letter === OPENED : indexOf('Ocpq-', letter) < 0)) {
        throw protocolError();
      }
      handlers[letter](packet.content_, letter);
      if (!isStopped && isAttached) {
        schedule();
      }
    }, function (code, name) {
      // What is malformed before the attach may be of something in between; what *opened* says is not.
      if (isAttached || code !== 4960) {
        // What *opened* says has attached, whatever it says: the server is told.
        isAttached = true;
        session.abort_(code, name);
      } else {
        lost('closed', name);
      }
    });
  }

  // What each packet does.
  /** @type {PacketHandlers} */
  var handlers = {};

  handlers[OPENED] = function (content) {
    var opened = session.handleOpened_(content);
    up = [opened.received, 0, outbox.gone_];
    if (up[0] < base) {
      throw createFault(4934, 'state-lost');
    }
    if (up[0] < outbox.base_) {
      // It is late: a newer connection has brought more.
      lost('superseded');
      return;
    }
    down = [opened.first, 0];
    isAttached = true;
    feed('attached', WEBSOCKET);
    if (!isStopped) {
      leg.renew_();
      leg.transmit_();
    }
  };

  handlers[CLOSE] = function (/** @type {Close} */ close) {
    if (isRetry(close.code)) {
      lost(close.code === SUPERSEDED_CODE ? 'superseded' : 'refused', close.code);
    } else if (isAttached) {
      session.handleClose_(close);
    } else {
      session.handleRefusal_(close.code, close.reason);
    }
  };

  handlers[PONG] = function (content) {
    if (content === session.padding_()) {
      isProving = false;
      feed('proven', WEBSOCKET);
    }
  };

  handlers[CREDENTIAL] = session.handleCredential_;

  handlers[PING] = function (content) {
    send(PONG, content);
    acknowledge();
  };

  handlers[ACK] = function (content) {
    // The server counts what comes here, so nothing may be left out (PROTOCOL §5.5).
    session.handleAck_(content, up[0]);
    busySince = outbox.base_ < up[0] || outbox.acked_ < up[1] || isCloseSent ? settings.now() : 0;
    leg.transmit_();
  };

  handlers[SUPERSEDED] = function () {
    lost('superseded');
  };

  handlers[PADDING] = ignore;

  handlers[BINARY_PART] = function (content) {
    if (isPart || content) {
      throw protocolError();
    }
    isPart = true;
  };

  handlers[TEXT] = handlers[BINARY] = handlers[TEXT_PART] = function (content, letter) {
    if (isPart) {
      isPart = false;
      if (letter !== BINARY) {
        throw protocolError();
      }
      letter = BINARY_PART;
    }
    unackedSince = unacked++ ? unackedSince : heardAt;
    // Characters for bytes is close enough for a threshold.
    unackedBytes += content.length;
    session.handleMessage_(down, letter, content);
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
      send(ACK, session.progress_());
    }
  }

  /** Arranges the next tick: for an ack or a ping that is due, or a ping that nobody answers. */
  function schedule() {
    var time = dueAt();
    timer.by_(unacked ? min(time, unackedSince + limits.ackDelayMs) : time);
  }

  function patienceMs() {
    // Messages may be on the way before the ping (NEGOTIATION §3.4).
    return isStalled ? deadMs() :
      min(STALL_MS + outbox.bytes_ / session.bytesPerMs_, deadMs());
  }

  function deadMs() {
    return limits.heartbeatTimeoutMs + outbox.bytes_ / SLOW_BYTES_PER_MS;
  }

  /** When a ping is due, or an answer to one. */
  function dueAt() {
    if (pingedAt) {
      return pingedAt + patienceMs();
    }
    // The server pings first in an idle session, so the client waits a quarter longer.
    var time = heardAt + limits.heartbeatMs * 1.25;
    return busySince ?
      min(time, max(heardAt, busySince) + 2 * limits.ackDelayMs) : time;
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
        if (outbox.bytes_ > LARGE_BYTES) {
          session.bytesPerMs_ = max(session.bytesPerMs_ / 2, SLOW_BYTES_PER_MS);
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
 * @param {Settings} settings
 * @param {string} url
 * @param {Session} session
 * @param {number} generation
 * @param {() => void} opened
 * @param {(event: MessageEvent) => void} received
 * @param {(outcome: string, detail: string) => void} closed
 * @returns {WebSocket} or what cannot even be closed
 */
function openWebSocket(settings, url, session, generation, opened, received, closed) {
  /** @type {any} */
  var socket = {};
  try {
    socket = new settings.WebSocket(url, append(['anywire.v1'], generation ? session.offer_(generation) : []));
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
