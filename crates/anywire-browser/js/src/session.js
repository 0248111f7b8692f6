/**
 * Owns the session: who it is, what was received, what is kept to be sent, and how it ends.
 * Leaves the connections to the legs, and which of them carries it to the negotiation.
 */

import { readBlob } from '#platform/engine.js';
import { jsonText } from '#platform/json.js';
import { createInbox } from './inbox.js';
import { append, Bytes, indexOf, join, max, min, own } from './language.js';
import { createOutbox } from './outbox.js';
import root from './root.js';
import { createTimer, soon } from './timers.js';
import { UNKNOWN_SESSION } from './wire/close.js';
import { createFault, protocolError } from './wire/fault.js';
import { jsonList, readJson } from './wire/json.js';
import { createMessage } from './wire/message.js';
import { isPart, placeContent, TEXT } from './wire/packet.js';
import { canVeil, utf8Base64Url } from './wire/veil.js';

/** What this client can beyond version 1 (PROTOCOL §2.5), by name. */
var PART = 'part';
var VEIL = 'veil';
var LEAVE = 'leave';
var CREDENTIAL = 'credential';

/** A message that has not come whole and does not grow for so long is not waited for on its connection. */
var GROWTH_MS = 20000;

/** In so many bytes a part has some: a character, or three bytes. */
var MIN_PART_BYTES = 4;

/** Of padding in a question that proves a leg, up and down (NEGOTIATION §1.2). */
var PROOF_BYTES = 16384;

/** How long an open with messages waits for a first answer. */
var EARLY_HOLD_MS = 1000;

/** An outbox that grows beyond this is given up: nobody takes what the application sends. */
var MAX_OUTBOX_BYTES = 67108864;

/**
 * @param {Clock & { leave?: boolean }} clock
 * @param {string} key
 * @param {string[]} protocols
 * @param {SessionHandlers} handlers
 * @returns {Session}
 */
export function createSession(clock, key, protocols, handlers) {
  var secret = '';
  // A worker and a program are no pages, and are not told that they go.
  var can = append(append([PART, CREDENTIAL], canVeil ? [VEIL] : []), clock.leave === false || !root.document ? [] : [LEAVE]);
  var inbox = createInbox();
  var outbox = createOutbox();
  // *Opened* brings the others (PROTOCOL §7); these are needed before.
  var limits = /** @type {Limits} */ ({ heartbeatTimeoutMs: 8000, maxPayloadBytes: 65536, maxPartBytes: 65536 });
  // The answer to a close is not waited for longer than until then.
  var closeBy = 0;
  var closeTimer = createTimer(clock, expire);
  var growthTimer = createTimer(clock, handlers.onstall_);

  var session = /** @type {Session} */ ({
    id_: '',
    protocol_: '',
    bytesPerMs_: 256,
    limits_: limits,
    received_: 0,
    outbox_: outbox,
    credential_: undefined,
    renewal_: undefined,
    closing_: null,
    isCloseSent_: false,
    ended_: false,
    hasDropped_: false,
    canVeil_: false,
    canLeave_: false,

    padding_: function () {
      return join(new Array(min(PROOF_BYTES, limits.maxPingBytes) + 1), '.');
    },

    offer_: function (generation) {
      var offer = ['anywire.open.' + key + '.' + generation, 'anywire.can.' + join(can, '.')];
      var credential = session.credential_;
      if (credential) {
        offer[2] = 'anywire.credential.' + utf8Base64Url(credential);
      }
      return append(offer, protocols);
    },

    openContent_: function (generation, onlySends) {
      // With a hold a first answer may share the exchange with first messages (PROTOCOL §6.3).
      return '{"version":1,"key":"' + key + '","generation":' + generation +
        (onlySends ? '' : ',"holdMs":' + (outbox.end_ && EARLY_HOLD_MS)) +
        ',"protocols":' + jsonList(protocols) + ',"can":' + jsonList(can) +
        (session.credential_ ? ',"credential":' + jsonText(session.credential_) : '') + '}';
    },

    attachContent_: function (generation, holdMs) {
      return join([session.id_, secret, generation, session.received_], ' ') +
        (holdMs === undefined ? '' : ' ' + holdMs);
    },

    handleOpened_: function (content) {
      var opened = parseOpened(content);

      /** @param {string} name */
      function canBoth(name) {
        return indexOf(' ' + join(opened.can || [], ' ') + ' ', ' ' + name + ' ') >= 0;
      }

      if (session.id_ && session.id_ !== opened.session) {
        throw protocolError();
      }
      if (opened.first > session.received_) {
        throw createFault(4961, 'gap');
      }
      if (!session.id_) {
        session.id_ = opened.session;
        secret = opened.secret;
        session.protocol_ = opened.protocol || '';
        session.canVeil_ = canVeil && canBoth(VEIL);
        session.canLeave_ = canBoth(LEAVE);
      }
      for (var name in opened.limits) {
        var limit = own(opened.limits, name);
        // A server that holds nothing says so with 0, which makes no sense elsewhere.
        if (limit > 0 || (limit === 0 && name === 'holdMs')) {
          limits[name] = limit;
        }
      }
      outbox.partBytes_ = canBoth(PART) ? max(MIN_PART_BYTES, limits.maxPartBytes) : 0;
      session.handleAck_([opened.received, 0], opened.received);
      awaitClose();
      return opened;
    },

    progress_: function () {
      return placeContent([session.received_, inbox.bytes_]);
    },

    awaitGrowth_: function () {
      growthTimer.stop_();
      if (inbox.bytes_) {
        growthTimer.set_(GROWTH_MS);
      }
    },

    handleMessage_: function (place, letter, content) {
      if (place[0] > session.received_) {
        throw createFault(4961, 'gap');
      }
      var before = inbox.bytes_;
      var whole;
      if (place[0] === session.received_) {
        if (place[1] > before) {
          // It is left out, with what follows it.
          place[0] = -Infinity;
        } else {
          whole = inbox.take_(place, letter, content, limits.maxMessageBytes);
        }
      }
      if (!isPart(letter)) {
        place[0]++;
        place[1] = 0;
      }
      if (before || isPart(letter)) {
        // Also where it brings again what is known: it moves.
        session.awaitGrowth_();
      }
      if (whole !== undefined) {
        // The browser may fail here. Then the message has not been received, and comes again.
        var data = letter === TEXT ? whole : handlers.toData_(/** @type {Uint8Array} */ (whole));
        session.received_++;
        handlers.onmessage_(data);
      }
    },

    handleAck_: function (place, carried) {
      if (outbox.ack_(place, carried)) {
        handlers.onbuffer_();
        awaitClose();
      }
    },

    handleHeard_: function () {
      if (session.id_ && isNextToClose()) {
        closeTimer.set_(min(limits.closeTimeoutMs, closeBy - clock.now()));
      }
    },

    handleClose_: function (close) {
      var sent = session.closing_;
      var isAnswer = sent && sent.code === close.code && sent.reason === close.reason;
      if (!isAnswer) {
        // Where it crosses our own, the server's counts (PROTOCOL §8.2), and must be answered.
        session.closing_ = null;
      }
      session.end_(close.code, close.reason, !!isAnswer || close.code < 4900, true);
    },

    handleRefusal_: function (code, message) {
      if (code === UNKNOWN_SESSION && session.closing_ && session.isCloseSent_) {
        // The server has closed already; only its answer was lost (PROTOCOL §8.2.1).
        endWithOwnClose(true);
      } else {
        session.end_(code, message || '');
      }
    },

    send_: function (data) {
      if (session.hasDropped_) {
        return;
      }
      var message = createMessage(data);
      if (message.bytes_ > limits.maxMessageBytes) {
        // Until the application hears of the end nothing may follow the message that was dropped.
        session.hasDropped_ = true;
        abortSoon(4964, 'too-large');
      } else {
        // What is sent again was not too much before. What comes until the end is kept: another session may bring it.
        if (session.id_ && outbox.bytes_ >= MAX_OUTBOX_BYTES) {
          abortSoon(4932, 'too-slow');
        }
        outbox.push_(message);
        handlers.onbuffer_();
        handlers.ontransmit_();
        if (message.content_ === null) {
          readBlob(/** @type {Blob} */ (data), function (buffer) {
            message.content_ = new Bytes(buffer);
            handlers.ontransmit_();
          }, function () {
            session.abort_(1011, 'Blob');
          });
        }
      }
    },

    close_: function (code, reason) {
      if (session.ended_ || session.hasDropped_) {
        return;
      }
      session.closing_ = { code: code, reason: reason };
      awaitClose();
      handlers.ontransmit_();
    },

    expire_: expire,

    abort_: function (code, reason) {
      // A close that is on its way does not tell the server of this.
      session.closing_ = null;
      session.end_(code, reason, false, true);
    },

    end_: function (code, reason, wasClean, isToBeTold) {
      if (!session.ended_) {
        session.ended_ = true;
        closeTimer.stop_();
        growthTimer.stop_();
        handlers.onend_(code, reason, wasClean, isToBeTold);
      }
    }
  });

  /**
   * The application hears of the end when its call has returned.
   * @param {number} code
   * @param {string} name
   */
  function abortSoon(code, name) {
    soon(clock, function () {
      session.abort_(code, name);
    });
  }

  function expire() {
    if (session.closing_) {
      endWithOwnClose(false);
    } else if (session.id_) {
      session.end_(4931, 'expired');
    } else {
      session.end_(1006, 'no connection');
    }
  }

  /** Whether nothing but the answer to our close is missing. */
  function isNextToClose() {
    return session.closing_ && outbox.base_ === outbox.end_;
  }

  /**
   * For as long as the server shows life, but not for ever (PROTOCOL §8.1). While messages must come before the
   * close, each of them may take as long.
   */
  function awaitClose() {
    // Before that there are no limits, and the negotiation's own time bounds it.
    if (session.closing_ && session.id_) {
      var longestMs = max(limits.closeTimeoutMs, limits.resumeWindowMs);
      closeBy = clock.now() + longestMs;
      closeTimer.set_(isNextToClose() ? limits.closeTimeoutMs : longestMs);
    }
  }

  /** @param {boolean} wasClean */
  function endWithOwnClose(wasClean) {
    var closing = /** @type {Close} */ (session.closing_);
    session.end_(closing.code, closing.reason, wasClean);
  }

  return session;
}

/**
 * @param {string} content
 * @returns {Opened}
 */
function parseOpened(content) {
  var opened = /** @type {Opened} */ (readJson(
    content, ['version', 'session', 'secret', 'received', 'first', 'protocol', 'limits', 'can']));
  if (opened.version !== 1 || !opened.session || !opened.secret ||
      !(opened.received >= 0) || !(opened.first >= 0)) {
    throw protocolError();
  }
  return opened;
}
