/**
 * Owns what carries down while polling carries the session: a stream or an event stream, as long as
 * it is proven at run time, else the hold of poll-leg.js (NEGOTIATION §10).
 * Leaves to stream.js and events.js the browser's part. Only in the full build.
 */

/** A path on which the first bytes take longer, while the connection is open, holds them back. */
var RUNG_PROOF_MS = 1200;
/** Beyond the time after which the server says padding. */
var MUTE_MS = 3000;
/** One that ends sooner than this and brings nothing is followed by a hold. */
var SHORT_RUNG_MS = 500;
var MAX_UNACKED_DOWN = 128;
var MAX_UNACKED_DOWN_BYTES = 131072;

/**
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Settings} settings
 * @param {Http} http
 * @returns {Rungs}
 */
function createRungs(session, endpoints, settings, http) {
  /** @type {Rung[]} */
  var rungs = [];

  /**
   * @param {string} name
   * @param {any} isUsable
   * @param {OpenRung} open
   * @param {() => number} silenceMs
   */
  function add(name, isUsable, open, silenceMs) {
    if (isUsable && isListed(settings, name)) {
      rungs.push({
        name: name, open: open, silenceMs: silenceMs,
        memory: createMemory(settings, endpoints.origin + ' ' + name)
      });
    }
  }

  // Before they told of progress, engines showed an answer at its end (Internet Explorer), threw until
  // then, or made a space of NUL in it (KHTML).
  add('stream', 'onprogress' in new settings.XMLHttpRequest(), openStream, function () {
    return session.limits.paddingMs + MUTE_MS;
  });
  // Its padding is not shown to a page; but it rotates.
  add('events', settings.EventSource, openEvents, function () {
    return session.limits.streamMs + MUTE_MS;
  });

  return {
    left: function () {
      http.name = POLL;
      http.ontransport();
    },

    open: function (leg, trace) {
      for (var i = 0; i < rungs.length; i++) {
        if (!rungs[i].memory.recall()) {
          return carry(session, settings, rungs[i], endpoints, http, leg, trace);
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
  var isProven = false;
  var isOver = false;
  /** @type {() => void} */
  var close = ignore;

  var silence = createTimer(settings, function () {
    fail(isProven ? 'stalled' : 'silent', isProven ? 'mute' : 'held back');
  });
  var ack = createTimer(settings, function () {
    if (leg.acknowledge()) {
      acked = session.received;
      unackedBytes = 0;
    } else {
      // What is on its way up tells less than there is by now.
      ack.set(SHORT_RUNG_MS / 10);
    }
  });

  /** @param {() => Packet[]} read */
  function heard(read) {
    silence.set(rung.silenceMs());
    withFaults(function () {
      var packets = read();
      if (packets.length && !isProven) {
        isProven = true;
        note('ok');
        http.name = rung.name;
        http.ontransport();
        leg.held();
      }
      take(packets);
    }, function () {
      // Something between here and the server has answered.
      fail('refused', 'no payload');
    });
  }

  /** @param {Packet[]} packets */
  function take(packets) {
    for (var i = 0; i < packets.length; i++) {
      unackedBytes += packets[i].letter === PADDING ? 0 : packets[i].content.length || 0;
    }
    leg.take(packets);
    var unacked = session.received - acked;
    if (!isOver && unacked) {
      ack.by(unacked >= MAX_UNACKED_DOWN || unackedBytes >= MAX_UNACKED_DOWN_BYTES ?
        settings.now() : settings.now() + session.limits.ackDelayMs);
    }
  }

  /**
   * @param {boolean} wasHeard
   * @param {boolean} wasHeardBefore
   */
  function ended(wasHeard, wasHeardBefore) {
    if (!wasHeard) {
      fail('closed', 'nothing came');
    } else if (!wasHeardBefore && !isOver) {
      fail('silent', 'came at its end');
    } else {
      stop();
      leg.next(session.received === received &&
        settings.now() - startedAt < SHORT_RUNG_MS);
    }
  }

  /**
   * It is left alone on this origin for a while, and a hold follows at once.
   * @param {string} outcome
   * @param {string} detail
   */
  function fail(outcome, detail) {
    if (!isOver) {
      note(outcome, detail);
      stop();
      if (outcome !== 'closed') {
        rung.memory.remember('fails');
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
    ack.stop();
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
