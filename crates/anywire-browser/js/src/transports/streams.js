/**
 * Owns which stream carries down while HTTP carries the session, a stream or an event stream, and whether it is proven
 * at run time (NEGOTIATION §10). Only in the full build.
 * Leaves to stream.js and events.js the browser's part, and to poll.js the exchange that is held in place of one.
 */

import { exec } from '../language.js';
import { MAX_UNACKED, MAX_UNACKED_BYTES } from '../limits.js';
import { createMemory, MEMORY_MS } from '../memory.js';
import { createTimer, soon } from '../timers.js';
import { ignore, isListed, POLL } from '../transport.js';
import { withFaults } from '../wire/fault.js';
import { PADDING } from '../wire/packet.js';
import { openEvents } from './events.js';
import { openStream } from './stream.js';

/** A path on which the first bytes take longer, while the connection is open, holds them back. */
var PROOF_MS = 1200;
/** Of an event nothing is seen until it is whole, and it may be large. */
var EVENT_MS = 5000;
/** Beyond the time after which the server says padding. */
var MUTE_MS = 3000;
/** One that ends sooner than this and brings nothing is followed by a hold. */
var SHORT_MS = 500;

/**
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Settings} settings
 * @param {Http} http
 * @param {() => void} ontransport what is to be shown as the transport has changed
 * @returns {Streams}
 */
export function createStreams(session, endpoints, settings, http, ontransport) {
  /** @type {DownTransport[]} */
  var transports = [];

  /**
   * @param {string} name
   * @param {any} isUsable
   * @param {OpenStream} open
   * @param {number} lateMs
   */
  function add(name, isUsable, open, lateMs) {
    if (isUsable && isListed(settings, name)) {
      transports[transports.length] = {
        name_: name, open_: open, lateMs_: lateMs,
        memory_: createMemory(settings, endpoints.origin + ' ' + name),
        suspect_: null, wasProven_: false, failedAt_: -Infinity
      };
    }
  }

  // Before they told of progress, engines showed an answer at its end (Internet Explorer), threw until
  // then, or made a space of NUL in it (KHTML).
  add('stream', 'onprogress' in new settings.XMLHttpRequest(), openStream, PROOF_MS);
  add('events', settings.EventSource, openEvents, EVENT_MS);

  /** @param {string} name */
  function show(name) {
    http.name_ = name;
    ontransport();
  }

  return {
    left_: function () {
      show(POLL);
    },

    open_: function (leg, trace) {
      for (var i = 0; i < transports.length; i++) {
        var transport = transports[i];
        // Something else carries where it did not: the line is not dead.
        if (transport.suspect_ === leg) {
          var now = settings.now();
          if (!transport.wasProven_ || now - transport.failedAt_ < MEMORY_MS) {
            transport.memory_.remember_('fails');
          }
          transport.failedAt_ = now;
          transport.suspect_ = null;
        }
        if (!transport.memory_.recall_()) {
          return carry(session, settings, transport, endpoints, http, show, leg, trace);
        }
      }
    }
  };
}

/**
 * @param {Session} session
 * @param {Settings} settings
 * @param {DownTransport} transport
 * @param {Endpoints} endpoints
 * @param {Http} http
 * @param {(name: string) => void} show
 * @param {StreamLeg} leg
 * @param {Trace} trace
 * @returns {() => void} stops it, without a callback
 */
function carry(session, settings, transport, endpoints, http, show, leg, trace) {
  var startedAt = settings.now();
  var progress = session.progress_();
  var acked = session.received_;
  var unackedBytes = 0;
  // One that follows another on the same path has been proven.
  var isProven = http.name_ === transport.name_;
  // Padding was asked for; it must come soon once the exchange that asks is answered.
  var isAsked = false;
  var isAnswered = false;
  var isOver = false;
  /** @type {() => void} */
  var close = ignore;

  var silence = createTimer(settings, function () {
    if (isProven && !isAnswered) {
      tell.set_(0);
    } else {
      fail('silent', 'held back');
    }
  });
  // Acknowledges what came, and asks whether that was all.
  var tell = createTimer(settings, function () {
    leg.ask_(asking);
  });

  /** The question goes out. Returns whom to tell of the answer to its exchange. */
  function asking() {
    isAsked = true;
    acked = session.received_;
    unackedBytes = 0;
    return function () {
      if (isAsked && !isOver) {
        isAnswered = true;
        silence.set_(transport.lateMs_);
      }
    };
  }

  function wait() {
    silence.set_(isAnswered ? transport.lateMs_ : session.limits_.paddingMs + MUTE_MS);
  }

  /** @param {() => ReceivedPacket[]} read */
  function heard(read) {
    wait();
    withFaults(function () {
      var packets = read();
      if (packets.length && !isProven && !isAsked) {
        tell.by_(settings.now());
      }
      take(packets);
    }, function () {
      // Something between here and the server has answered.
      fail('refused', 'no payload');
    });
  }

  function prove() {
    isAsked = isAnswered = false;
    wait();
    if (!isProven) {
      isProven = true;
      note('ok');
      show(transport.name_);
      leg.held_();
    }
  }

  /** @param {ReceivedPacket[]} packets */
  function take(packets) {
    for (var i = 0; i < packets.length; i++) {
      var bytes = /** @type {string} */ (packets[i].content_).length || 0;
      if (exec(/[tb]/i, packets[i].letter_)) {
        unackedBytes += bytes;
      } else if (packets[i].letter_ === PADDING && !bytes) {
        // The one that a stream begins with is long.
        prove();
      }
    }
    leg.take_(packets);
    var unacked = session.received_ - acked;
    if (!isOver && (unacked || unackedBytes)) {
      tell.by_(unacked >= MAX_UNACKED || unackedBytes >= MAX_UNACKED_BYTES ?
        settings.now() : settings.now() + session.limits_.ackDelayMs);
    }
  }

  function ended() {
    if (!isProven && !isAsked) {
      // Nothing came, or all at once, at its end.
      fail('closed');
    } else {
      stop();
      leg.next_(session.progress_() === progress &&
        settings.now() - startedAt < SHORT_MS);
    }
  }

  /**
   * A hold follows at once. If that carries, this is left alone on this origin for a while.
   * @param {string} outcome
   * @param {string} [detail]
   */
  function fail(outcome, detail) {
    if (!isOver) {
      note(outcome, detail);
      stop();
      if (outcome !== 'closed') {
        transport.suspect_ = leg;
        transport.wasProven_ = isProven;
      }
      leg.next_(true);
    }
  }

  /**
   * @param {string} outcome
   * @param {string} [detail]
   */
  function note(outcome, detail) {
    // One that follows another on the same path is no attempt.
    if (outcome !== 'ok' || http.name_ !== transport.name_) {
      trace.note_(transport.name_, isProven && outcome !== 'ok' ? 'carry' : 'proof',
        settings.now() - startedAt, outcome, detail);
    }
  }

  function stop() {
    isOver = true;
    silence.stop_();
    tell.stop_();
    close();
  }

  silence.set_(PROOF_MS);
  try {
    close = transport.open_(settings, endpoints[transport.name_], leg.attachment_(), heard, ended);
  } catch (error) {
    soon(settings, function () {
      fail('failed', '' + error);
    });
  }
  return stop;
}
