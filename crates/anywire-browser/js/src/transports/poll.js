/**
 * Owns how HTTP exchanges carry a session: one that is held for what comes down, and beside it one
 * that sends (PROTOCOL §6).
 * Leaves to the negotiation when to try it, and what follows when an exchange fails; to the platform what may carry
 * down in place of the exchange that is held.
 *
 * The first exchange is not held: it opens or attaches, sends what waits, and its answer attaches
 * the leg. Only then is one held, may another send, and is the path proven by one of its own.
 */

import { createDownstream } from '#platform/downstream.js';
import { isShort } from '#platform/http.js';
import { append, exec, floor, has, indexOf, max, min } from '../language.js';
import { SLOW_BYTES_PER_MS } from '../limits.js';
import { createMemory } from '../memory.js';
import { createTabs } from '../tabs.js';
import { createTimer } from '../timers.js';
import { ignore, POLL } from '../transport.js';
import { closeContent, SUPERSEDED_CODE, UNKNOWN_SESSION } from '../wire/close.js';
import { withFaults } from '../wire/fault.js';
import { readJson } from '../wire/json.js';
import {
  ACK, ATTACH, BINARY, BINARY_PART, CLOSE, CREDENTIAL, LEAVE, newPacket, OFFSET, OPEN, OPENED, PADDING, PING, placeContent, PONG,
  SUPERSEDED, TEXT, TEXT_PART,
} from '../wire/packet.js';
import { decodeAnswer } from '../wire/payload.js';
import { VEILED_ENCODING } from '../wire/veil.js';

/** Leaves room for what stands beside the messages: attach, reports, offset and close. */
var MAX_BATCH = 900;
var BESIDE_BYTES = 1024;
/** A body for which there is so little room is not made shorter. */
var MIN_ROOM = 256;

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

/** What something between answers that does not like a message, or its length; and how long it may go on so. */
var PAGES = /^http 4(0[036]|1[35]|51)/;
var REFUSED_MS = 3000;

/** What is neither held nor sends. */
var ASIDE = 'aside';

/** A path that did not bear a body is asked for no longer ones at first: many do not bear much. */
var DOUBTFUL_BYTES = 65536;

/** A path that refuses longer bodies is asked for no shorter ones. */
var MIN_BODY_BYTES = 8192;

/** A page that goes may send no more at once, over all that it has under way: 64 KiB, less what others need. */
var BEACON_BYTES = 61440;

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
 * @returns {Leg}
 */
export function createPollLeg(session, endpoints, http, settings, feed, generation, trace) {
  var limits = session.limits_;
  var outbox = session.outbox_;
  var bearable = createMemory(settings, endpoints.origin + ' bytes');
  var veiling = createMemory(settings, endpoints.origin + ' veil');
  var isStopped = false;
  var isAttached = false;
  var isSending = true;
  // Without a turn: whether something asks for what comes down, and whether it is to be asked for again.
  var isAsking = false;
  var isToAsk = false;
  // Since when there is no hold, so that a send gets through; or 0. And whether that was tried.
  var clearedAt = 0;
  var wasCleared = false;
  // Called where the next exchange asks for padding (PROTOCOL §13.9), returns whom to tell of its answer.
  /** @type {Asking | null} */
  var asked = null;
  // What the last send asked for, if it must be asked for again.
  /** @type {Asking | null} */
  var question = null;
  // What went up last, and how long the rest waits if the server leaves some of it out.
  var isCloseSent = false;
  // What comes is of the exchange with our close; and whether it has brought the answer to that.
  var isAnswer = false;
  var isCloseAnswered = false;
  var isFull = false;
  /** @type {Place} */
  var batchFirst = [0, 0];
  /** @type {Place} */
  var batchEnd = [0, 0];
  // Of how many messages there is something in it.
  var batchCount = 0;
  var mostMessages = MAX_BATCH;
  // What was said last of what came; of what a leg before this has said nothing is known.
  var lastProgress = session.id_ && ' ';
  // How many bytes of a body are of one byte of messages, as it was last.
  var growth = 1;
  // The last body, and its encoding.
  /** @type {any} */
  var packed;
  /** @type {Encoding} */
  var encoding;
  // Whether the path is to be tried with a veil.
  var isVeiled = false;
  // Since when the path refuses what waits, or 0.
  var refusedAt = 0;
  var hasPassed = false;
  var fullInboxMs = FULL_INBOX_MS;
  // Of the next message down, or part of one.
  /** @type {Place} */
  var place = [0, 0];
  /** @type {{ [slot: string]: () => void }} */
  var aborts = {};
  var sendTimer = createTimer(settings, send);
  var blockedTimer = createTimer(settings, clearHold);
  var carryDown = createDownstream(http, trace, hold, {
    attachment_: attaching,

    take_: take,

    carry_: function (stop) {
      aborts.hold = stop;
    },

    held_: function () {
      feed('held');
    },

    isStopped_: function () {
      return isStopped;
    },

    isCrowded_: function () {
      return tabs.isCrowded_();
    },

    ask_: function (asking) {
      asked = function () {
        asked = null;
        return asking();
      };
      if (!isSending) {
        send();
      }
    }
  });
  var holdTimer = createTimer(settings, carryDown);
  var tabs = createTabs(settings, endpoints, session, http, turned);

  /** @type {Leg} */
  var leg = {
    start_: function () {
      exchange('hold', 0, synced, session.id_ ? attaching(0) : [newPacket(OPEN, session.openContent_(generation, isShort(http)))],
        isShort(http) || http.isBare_ ? 0 : mostMessages);
    },

    prove: function () {
      if (!isShort(http)) {
        exchange(ASIDE, 0, ignore, append(attaching(), [newPacket(PING, session.padding_())]), 0);
      }
    },

    renew_: function () {
      exchange(ASIDE, 0, ignore, attaching(), 0);
    },

    transmit_: function () {
      if (isSending || isStopped || !(asked || outbox.isReady_() ||
          session.closing_ && outbox.base_ === outbox.end_)) {
        return;
      }
      if (session.closing_) {
        // At once: the page may be about to leave.
        send();
      } else if (!isFull) {
        // After this turn, so that all that is sent in it shares one request.
        sendTimer.by_(settings.now());
      }
    },

    leave_: function (content, generation) {
      // As much as a page that goes may still send: half as many messages, until it is let.
      for (var count = MAX_BATCH; !isTold(content, generation, count) && count; count = floor(count / 2)) { /* again */ }
    },

    drop: function (_, _code, farewell) {
      if (isStopped) {
        return;
      }
      isStopped = true;
      session.isCloseSent_ = session.isCloseSent_ || isCloseSent && isSending;
      sendTimer.stop_();
      holdTimer.stop_();
      blockedTimer.stop_();
      for (var slot in aborts) {
        if (has(aborts, slot)) {
          aborts[slot]();
        }
      }
      tabs.leave_();
      // An exchange that was to bring our close may have been dropped on its way.
      if (farewell && session.id_ && !isCloseAnswered) {
        http.exchange_(settings, endpoints, http.encoding_,
          http.encoding_.pack_(append(attaching(), [newPacket(CLOSE, farewell)])),
          limits.heartbeatTimeoutMs, ignore, ignore);
      }
    }
  };

  /**
   * Whether the engine takes a leave with the first so many messages.
   * @param {string} content
   * @param {number} generation
   * @param {number} count
   */
  function isTold(content, generation, count) {
    var maxBytes = min(BEACON_BYTES, limits.maxPayloadBytes);
    compose([newPacket(ATTACH, session.attachContent_(generation))], count, maxBytes, [newPacket(LEAVE, content)]);
    var isTaken = packed.length <= maxBytes && settings.beacon(endpoints.poll, packed, settings.withCredentials);
    session.isCloseSent_ = session.isCloseSent_ || isCloseSent && isTaken;
    return isTaken;
  }

  function synced() {
    sent();
    if (!tabs.enter_()) {
      carryDown();
    }
  }

  /** Other tabs have left a turn to this one, or it to them. */
  function turned() {
    // What was cleared away for a send is resumed behind it.
    if (!clearedAt) {
      holdTimer.stop_();
      aborts.hold();
      carryDown(!tabs.hasTurn_());
    }
  }

  /** Whatever it would have brought comes again. */
  function clearHold() {
    wasCleared = true;
    clearedAt = settings.now();
    holdTimer.stop_();
    aborts.hold();
  }

  function hold() {
    var hasTurn = tabs.hasTurn_();
    var askedMs = hasTurn ? floor(min(limits.holdMs, http.holdMs_)) : 0;
    var startedAt = settings.now();
    var progress = session.progress_();
    isAsking = !hasTurn;
    isToAsk = false;
    exchange('hold', askedMs, function () {
      isAsking = false;
      feed('held');
      if (!hasTurn || session.progress_() === progress) {
        if (!askedMs || settings.now() - startedAt < min(SHORT_HOLD_MS, askedMs / 2)) {
          holdTimer.set_(isToAsk ? 0 : HOLD_PAUSE_MS);
          return;
        }
        http.holdMs_ *= HOLD_GROWTH;
      }
      // A turn later: an engine with one request at a time would not come to what waits to be sent.
      holdTimer.set_(0);
    }, attaching(askedMs), 0);
  }

  function send() {
    sendTimer.stop_();
    isSending = true;
    isFull = false;
    if (refusedAt && !hasPassed) {
      // Whether it is what they say: one that says nothing passes.
      batchCount = 0;
      exchange('send', 0, function () {
        hasPassed = true;
        send();
      }, attaching(), 0);
      return;
    }
    question = asked;
    var answered = asked && asked();
    if (http.isNarrow_) {
      clearHold();
    } else if (!wasCleared && !tabs.isCrowded_()) {
      blockedTimer.set_(BLOCKED_MS + outbox.bytes_ / SLOW_BYTES_PER_MS);
    }
    exchange('send', 0, function () {
      sent();
      if (answered) {
        answered();
      }
      if (!tabs.hasTurn_()) {
        // For what follows what was sent; what brings something already is not stopped.
        isToAsk = true;
        if (!isAsking) {
          holdTimer.set_(0);
        }
      }
    }, append(attaching(), answered ? [newPacket(PADDING, '.')] : []), mostMessages);
  }

  function sent() {
    isSending = hasPassed = http.isBare_ = false;
    refusedAt = 0;
    mostMessages = MAX_BATCH;
    if (isVeiled) {
      isVeiled = false;
      veiling.remember_(1);
    }
    blockedTimer.stop_();
    if (clearedAt) {
      http.isNarrow_ = http.isNarrow_ || settings.now() - clearedAt < UNBLOCKED_MS;
    }
    resume();
    if (beyond(batchFirst) > 0) {
      fullInboxMs = FULL_INBOX_MS;
    }
    if (beyond(batchEnd) < 0 || isCloseSent) {
      // The server had no room, also not for a close: it would have answered it.
      isFull = true;
      later();
    } else {
      leg.transmit_();
    }
  }

  /** What carries down goes on, if it was cleared away for a send. */
  function resume() {
    if (clearedAt) {
      clearedAt = 0;
      carryDown(true);
    }
  }

  /** At once, on this leg, what was refused. */
  function again() {
    isCloseSent = false;
    asked = question;
    (isAttached ? send : leg.start_)();
  }

  /** The same once more, after a pause that grows. */
  function later() {
    sendTimer.set_(fullInboxMs);
    fullInboxMs = min(MAX_FULL_INBOX_MS, 2 * fullInboxMs);
  }

  /**
   * How far the server is behind a place, or before it where this is negative.
   * @param {Place} place
   */
  function beyond(place) {
    return outbox.base_ - place[0] || outbox.acked_ - place[1];
  }

  /**
   * Packs a body with what waits, as far as it fits.
   * @param {Packet[]} head what it begins with
   * @param {number} most how many messages
   * @param {number} maxBytes
   * @param {Packet[]} [tail]
   * @returns {Packet[]} what is in it
   */
  function compose(head, most, maxBytes, tail) {
    /** @type {Packet[]} */
    var packets;
    var closing = session.closing_;
    var room = max(MIN_ROOM, (maxBytes - BESIDE_BYTES) / growth);
    do {
      batchFirst = [outbox.base_, outbox.acked_];
      batchEnd = [outbox.base_, outbox.acked_, 0];
      /** @type {Packet[]} */
      var pieces = [];
      /** @type {Packet | undefined} */
      var piece;
      while (pieces.length < MAX_BATCH && batchEnd[0] - batchFirst[0] < most &&
          (piece = outbox.next_(batchEnd, pieces.length || outbox.partBytes_ ? room - batchEnd[2] : Infinity))) {
        pieces[pieces.length] = piece;
      }
      batchCount = pieces.length && batchEnd[0] - batchFirst[0] + (batchEnd[1] ? 1 : 0);
      packets = append(append([], head), batchCount ? [newPacket(OFFSET, placeContent(batchFirst))] : []);
      append(packets, pieces);
      isCloseSent = false;
      if (closing && batchEnd[0] === outbox.end_) {
        isCloseSent = true;
        packets[packets.length] = newPacket(CLOSE, closeContent(closing.code, closing.reason));
      }
      append(packets, tail || []);
      encoding = batchCount && !isShort(http) && session.canVeil_ && (isVeiled || veiling.recall_()) ?
        VEILED_ENCODING : http.encoding_;
      packed = encoding.pack_(packets);
      // What an encoding makes of it shows when it is done.
      growth = max(1, packed.length / max(SMALL_BYTES, batchEnd[2]));
      room = min(room, batchEnd[2]) * maxBytes / packed.length * 0.9;
    } while (packed.length > maxBytes && (outbox.partBytes_ ? room > MIN_ROOM : batchCount > 1));
    return packets;
  }

  /**
   * What an exchange begins with.
   * @param {number} [holdMs]
   * @returns {Packet[]}
   */
  function attaching(holdMs) {
    /** @type {Packet[]} */
    var packets = [newPacket(ATTACH, session.attachContent_(generation, holdMs))];
    // Also where bytes are gone that were told before (PROTOCOL §4.11).
    var told = lastProgress;
    lastProgress = session.progress_();
    append(append(packets, indexOf(told + lastProgress, ' ') < 0 ? [] : [newPacket(ACK, lastProgress)]), trace.reports_());
    // A form bears no hold, and in an address no credential may stand.
    return append(packets, session.renewal_ === undefined || isShort(http) && holdMs !== undefined ? [] :
      [newPacket(CREDENTIAL, session.renewal_)]);
  }

  /**
   * @param {string} slot
   * @param {number} holdMs how long the server may wait
   * @param {() => void} next
   * @param {Packet[]} packets
   * @param {number} most how many messages it may bring
   */
  function exchange(slot, holdMs, next, packets, most) {
    var used = http.encoding_;
    var body;
    if (most) {
      packets = compose(packets, most, min(limits.maxPayloadBytes, http.batchBytes_, +bearable.recall_() || Infinity));
      used = encoding;
      body = packed;
    } else {
      body = used.pack_(packets);
    }
    // Its line may be slow, and bear less.
    var isLong = body.length > SMALL_BYTES;
    var patienceMs = holdMs + limits.heartbeatTimeoutMs * (isLong ? SEND_PATIENCE : 1);

    aborts[slot] = (holdMs ? http : tabs).exchange_(settings, endpoints, used, body, patienceMs,
    function (payload) {
      if (isLong) {
        http.batchBytes_ *= 2;
      }
      session.handleHeard_();
      trace.handleReported_(packets);
      isAnswer = packets[packets.length - 1].letter_ === CLOSE;
      try {
        receive(used, payload);
      } finally {
        isAnswer = false;
        // An error of the browser's must not end the polling.
        if (!isStopped) {
          next();
        }
      }
    }, function (outcome, detail, text, retryAfterMs) {
      // Of PROTOCOL §8.4, if the server wrote the answer, and not a proxy.
      var refusal = /** @type {Fault} */ (readJson(text, ['code', 'message']));

      function refused() {
        session.handleRefusal_(refusal.code, refusal.message);
      }

      if (refusal.code >= 4930 && refusal.code < 5000) {
        if (refusal.code === UNKNOWN_SESSION && isAttached && isCloseSent && isSending && slot !== 'send') {
          // The exchange with our close may have ended the session; its answer says how (PROTOCOL §8.2.1).
          createTimer(settings, function () {
            session.isCloseSent_ = true;
            refused();
          }).set_(CLOSE_ANSWER_MS);
        } else {
          refused();
        }
        return;
      }
      if (refusal.code >= SUPERSEDED_CODE && (slot === 'send' || !isAttached)) {
        // The server itself has refused it, and taken nothing of it.
        isSending = false;
      }
      // An exchange that carries what waits.
      var carries = slot === 'send' || !isAttached;
      // A gateway's page may have a code of its own.
      if (!(refusal.code >= 1000 && refusal.code < 5000)) {
        // The path did not bear this. It is asked for less, as long as it does not.
        if (isLong) {
          var half = floor(body.length / 2);
          http.batchBytes_ = exec(PAGES, detail) ? max(MIN_BODY_BYTES, half) : min(DOUBTFUL_BYTES, half);
        }
        if (holdMs) {
          http.holdMs_ = max(MIN_HOLD_MS, holdMs / 2);
        }
        if (slot === ASIDE) {
          // It stays unproven; what it bears, it carries. What renews a grant is said again.
          return;
        }
        // Of what is veiled a filter says in its own way that it looks no further.
        if (carries && exec(used === VEILED_ENCODING ? PAGES : /^http 413/, detail) && batchCount > (outbox.partBytes_ ? 0 : 1) &&
            body.length > MIN_BODY_BYTES) {
          // The path bears no body so long (PROTOCOL §6.7).
          // Where nothing can be stored, the page itself keeps to it for a while.
          if (exec(/^http 413/, detail)) {
            bearable.remember_(http.batchBytes_);
          }
          again();
          return;
        }
        if (carries && batchCount && exec(PAGES, detail)) {
          // What the messages say is refused, or how long one is (PROTOCOL §6.8).
          if (isAttached) {
            if (batchCount > 1) {
              // It may dislike one of them alone: the others are to arrive.
              mostMessages = floor(batchCount / 2);
              again();
              return;
            }
            if (session.canVeil_ && (used !== VEILED_ENCODING || !isVeiled)) {
              // It may dislike words; or veils, though another path did not.
              isVeiled = used !== VEILED_ENCODING;
              veiling.forget_();
              again();
              return;
            }
            refusedAt = refusedAt || settings.now();
            if (settings.now() - refusedAt < REFUSED_MS) {
              blockedTimer.stop_();
              isCloseSent = false;
              asked = question;
              resume();
              later();
            } else {
              session.abort_(4971, 'refused: ' + detail);
            }
            return;
          }
          if (!http.isBare_) {
            http.isBare_ = true;
            batchCount = 0;
            again();
            return;
          }
        }
      }
      lost(refusal.code === SUPERSEDED_CODE ? 'superseded' : outcome, detail, retryAfterMs);
    });
  }

  /**
   * @param {Encoding} used
   * @param {any} body
   */
  function receive(used, body) {
    var packets;
    try {
      packets = decodeAnswer(used, body, !session.id_);
    } catch (error) {
      // Something between here and the server has answered.
      lost('refused', 'no payload');
      return;
    }
    take(packets);
  }

  // What each packet does.
  /** @type {PacketHandlers} */
  var handlers = {};

  handlers[OPENED] = session.handleOpened_;

  handlers[ACK] = function (content) {
    session.handleAck_(content, content[0]);
    if (!isAttached) {
      isAttached = true;
      feed('attached', POLL);
    }
  };

  handlers[PONG] = function () {
    // The only ping that polls send.
    feed('proven', POLL);
  };

  handlers[CREDENTIAL] = session.handleCredential_;

  handlers[OFFSET] = function (content) {
    place = content;
  };

  handlers[CLOSE] = function (close) {
    isCloseAnswered = isAnswer;
    session.handleClose_(close);
  };

  handlers[SUPERSEDED] = function () {
    lost('superseded');
  };

  handlers[PADDING] = ignore;

  handlers[TEXT] = handlers[BINARY] = handlers[TEXT_PART] = handlers[BINARY_PART] = function (content, letter) {
    session.handleMessage_(place, letter, content);
  };

  /** @param {ReceivedPacket[]} packets */
  function take(packets) {
    withFaults(function () {
      for (var i = 0; i < packets.length && !isStopped; i++) {
        handlers[packets[i].letter_](packets[i].content_, packets[i].letter_);
      }
    }, session.abort_);
  }

  /**
   * @param {string} outcome
   * @param {string} [detail]
   * @param {number} [retryAfterMs]
   */
  function lost(outcome, detail, retryAfterMs) {
    if (!isStopped) {
      leg.drop();
      feed('lost', POLL, outcome, detail, retryAfterMs);
    }
  }

  return leg;
}
