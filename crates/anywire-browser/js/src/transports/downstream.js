/**
 * Owns what carries down while polling carries the session: a stream or an event stream, as long as
 * it is proven at run time, else the hold of poll.js (NEGOTIATION §10).
 * Leaves to stream.js and events.js the browser's part. Only in the full build.
 */

import { MAX_UNACKED, MAX_UNACKED_BYTES } from '../limits.js';
import { createMemory, MEMORY_MS } from '../memory.js';
import { createTimer, soon } from '../timers.js';
import { ignore, isListed, POLL } from '../transport.js';
import { withFaults } from '../wire/fault.js';
import { PADDING } from '../wire/packet.js';
import { openEvents } from './events.js';
import { openStream } from './stream.js';

/** A path on which the first bytes take longer, while the connection is open, holds them back. */
var RUNG_PROOF_MS = 1200;
/** Of an event nothing is seen until it is whole, and it may be large. */
var EVENT_MS = 5000;
/** Beyond the time after which the server says padding. */
var MUTE_MS = 3000;
/** One that ends sooner than this and brings nothing is followed by a hold. */
var SHORT_RUNG_MS = 500;

/**
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Settings} settings
 * @param {Http} http
 * @returns {Rungs}
 */
export function createRungs(session, endpoints, settings, http) {
  /** @type {Rung[]} */
  var rungs = [];

  /**
   * @param {string} name
   * @param {any} isUsable
   * @param {OpenRung} open
   * @param {number} lateMs
   */
  function add(name, isUsable, open, lateMs) {
    if (isUsable && isListed(settings, name)) {
      rungs.push({
        name: name, open: open, lateMs: lateMs,
        memory: createMemory(settings, endpoints.origin + ' ' + name)
      });
    }
  }

  // Before they told of progress, engines showed an answer at its end (Internet Explorer), threw until
  // then, or made a space of NUL in it (KHTML).
  add('stream', 'onprogress' in new settings.XMLHttpRequest(), openStream, RUNG_PROOF_MS);
  add('events', settings.EventSource, openEvents, EVENT_MS);

  return {
    left: function () {
      http.name = POLL;
      http.ontransport();
    },

    open: function (leg, trace) {
      for (var i = 0; i < rungs.length; i++) {
        var rung = rungs[i];
        // Something else carries where it did not: the line is not dead.
        if (rung.suspect === leg) {
          var now = settings.now();
          if (!rung.wasProven || now - rung.failedAt < MEMORY_MS) {
            rung.memory.remember('fails');
          }
          rung.failedAt = now;
          rung.suspect = false;
        }
        if (!rung.memory.recall()) {
          return carry(session, settings, rung, endpoints, http, leg, trace);
        }
      }
    }
  };
}

/**
 * @param {Session} session
 * @param {Settings} settings
 * @param {Rung} rung
 * @param {Endpoints} endpoints
 * @param {Http} http
 * @param {PollLeg} leg
 * @param {Trace} trace
 * @returns {() => void} stops it, without a callback
 */
function carry(session, settings, rung, endpoints, http, leg, trace) {
  var startedAt = settings.now();
  var received = session.received;
  var acked = received;
  var unackedBytes = 0;
  // One that follows another on the same path has been proven.
  var isProven = http.name === rung.name;
  // Padding was asked for; it must come soon once the exchange that asks is answered.
  var isAsked = false;
  var isAnswered = false;
  var isOver = false;
  /** @type {() => void} */
  var close = ignore;

  var silence = createTimer(settings, function () {
    if (isProven && !isAnswered) {
      tell.set(0);
    } else {
      fail('silent', 'held back');
    }
  });
  // Acknowledges what came, and asks whether that was all.
  var tell = createTimer(settings, function () {
    leg.acknowledge(asking);
  });

  /** The question goes out. Returns whom to tell of the answer to its exchange. */
  function asking() {
    isAsked = true;
    acked = session.received;
    unackedBytes = 0;
    return function () {
      if (isAsked && !isOver) {
        isAnswered = true;
        silence.set(rung.lateMs);
      }
    };
  }

  function wait() {
    silence.set(isAnswered ? rung.lateMs : session.limits.paddingMs + MUTE_MS);
  }

  /** @param {() => Packet[]} read */
  function heard(read) {
    wait();
    withFaults(function () {
      var packets = read();
      if (packets.length && !isProven && !isAsked) {
        tell.by(settings.now());
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
      http.name = rung.name;
      http.ontransport();
      leg.held();
    }
  }

  /** @param {Packet[]} packets */
  function take(packets) {
    for (var i = 0; i < packets.length; i++) {
      var bytes = packets[i].content.length || 0;
      if (packets[i].letter !== PADDING) {
        unackedBytes += bytes;
      } else if (!bytes) {
        // The one that a stream begins with is long.
        prove();
      }
    }
    leg.take(packets);
    var unacked = session.received - acked;
    if (!isOver && unacked) {
      tell.by(unacked >= MAX_UNACKED || unackedBytes >= MAX_UNACKED_BYTES ?
        settings.now() : settings.now() + session.limits.ackDelayMs);
    }
  }

  function ended() {
    if (!isProven && !isAsked) {
      // Nothing came, or all at once, at its end.
      fail('closed');
    } else {
      stop();
      leg.next(session.received === received &&
        settings.now() - startedAt < SHORT_RUNG_MS);
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
        rung.suspect = leg;
        rung.wasProven = isProven;
      }
      leg.next(true);
    }
  }

  /**
   * @param {string} outcome
   * @param {string} [detail]
   */
  function note(outcome, detail) {
    // One that follows another on the same path is no attempt.
    if (outcome !== 'ok' || http.name !== rung.name) {
      trace.note(rung.name, isProven && outcome !== 'ok' ? 'carry' : 'proof',
        settings.now() - startedAt, outcome, detail);
    }
  }

  function stop() {
    isOver = true;
    silence.stop();
    tell.stop();
    close();
  }

  silence.set(RUNG_PROOF_MS);
  try {
    close = rung.open(settings, endpoints[rung.name], leg.attachment(), heard, ended);
  } catch (error) {
    soon(settings, function () {
      fail('failed', '' + error);
    });
  }
  return stop;
}
