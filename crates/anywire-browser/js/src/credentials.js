/**
 * Owns what says who the client is: it asks the application for a credential, and again before the grant runs out
 * (PROTOCOL §10.10, §10.11).
 * Leaves to the session where the credential stands in an open, and to the legs how one is renewed.
 */

import { exec } from './language.js';
import { pauseMs } from './negotiation/leg-state.js';
import { createTimer, soon } from './timers.js';
import { parseNumber } from './wire/packet.js';

/** Others are asked together with this client: it waits for a random part of so much of what is left. */
var JITTER = 0.2;

var EXPIRING = 'expiring';

/**
 * @param {Settings} settings
 * @param {Session} session
 * @param {Negotiator} negotiator
 * @returns {Credentials}
 */
export function createCredentials(settings, session, negotiator) {
  var authorize = settings.authorize;
  /** @type {string} */
  var why;
  // What the negotiation is told when the session has what it opens with.
  /** @type {'start' | 'turn'} */
  var input;
  var failures = 0;
  // What the application has been asked, until it answers.
  /** @type {object | undefined} */
  var question;
  var timer = createTimer(settings, ask);

  function again() {
    question = undefined;
    timer.set_(pauseMs(settings, ++failures));
  }

  function ask() {
    // One that is not answered is asked again. A turn may come before the pause is over.
    timer.set_(settings.connectTimeoutMs);
    question = {};
    var mine = question;

    /** @param {any} credential nothing, where the answer is yet to come */
    function done(credential) {
      if (question === mine && credential !== undefined) {
        timer.stop_();
        question = undefined;
        if (credential === null) {
          session.credential_ = null;
          // The caller may not have had its turn yet.
          soon(settings, function () {
            session.abort_(4966, 'no credential');
          });
        } else if (session.credential_ === undefined) {
          session.credential_ = '' + credential;
          negotiator.feed_(input);
        } else {
          session.renewal_ = '' + credential;
          negotiator.renew_();
          if (!credential) {
            // The exchange that this takes may be lost.
            again();
          }
        }
      }
    }

    function failed() {
      if (question === mine) {
        again();
      }
    }

    try {
      var answer = typeof authorize === 'function' ? authorize(why, done) : authorize || '';
      if (answer && typeof answer !== 'string') {
        // A page may have given texts a `then`.
        answer.then(done, failed);
      } else {
        done(answer);
      }
    } catch (error) {
      failed();
    }
  }

  session.handleCredential_ = function (content) {
    if (content === 'ok') {
      session.renewal_ = undefined;
      timer.stop_();
    } else {
      var leftMs = parseNumber(/** @type {string[]} */ (exec(/^ask (.+)|/, content))[1]);
      if (!question) {
        why = EXPIRING;
        failures = 0;
        timer.by_(settings.now() + settings.random() * JITTER * leftMs);
      }
    }
  };

  return {
    open_: function (reason, next) {
      input = next;
      if (session.credential_ !== undefined) {
        negotiator.feed_(input);
      } else if (!question) {
        why = reason;
        ask();
      }
    },

    stop_: function () {
      question = undefined;
      timer.stop_();
    }
  };
}
