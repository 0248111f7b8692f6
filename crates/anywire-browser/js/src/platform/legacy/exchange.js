/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down, and how long
 * nothing may move.
 * Leaves what is in them to transports/poll.js.
 */

import { whatFailed } from '../../endpoint.js';
import { createTimer, soon } from '../../timers.js';
import { ignore } from '../../transport.js';
import { TEXT_ENCODING } from '../../wire/text.js';

/** @type {Exchange} */
export function startExchange(settings, endpoints, encoding, body, patienceMs, answered, failed) {
  var request = new settings.XMLHttpRequest();
  var isBinary = encoding !== TEXT_ENCODING;
  var timer = createTimer(settings, function () {
    finish();
    request.abort();
    failed('silent', 'no answer');
  });

  var wait = function () {
    timer.set_(patienceMs);
  };

  function finish() {
    timer.stop_();
    request.onreadystatechange = wait = ignore;
  }

  wait();
  try {
    request.open('POST', endpoints.poll, true);
    request.setRequestHeader('Content-Type', encoding.contentType_);
    setCredentials(request, settings);
    if (isBinary) {
      request.responseType = 'arraybuffer';
    }
    request.onreadystatechange = function () {
      wait();
      if (request.readyState < 4) {
        return;
      }
      finish();
      var status = 0;
      var answer;
      var retryAfterMs;
      try {
        answer = isBinary ? request.response : request.responseText;
        retryAfterMs = request.getResponseHeader('Retry-After') * 1000;
        status = request.status;
      } catch (error) {
        // Old browsers throw where there is no answer.
      }
      if (status === 200) {
        answered(answer);
      } else {
        failed(status ? 'refused' : 'closed', whatFailed(status, endpoints.poll),
          encoding.toText_(answer), retryAfterMs);
      }
    };
    if (request.upload) {
      request.upload.onprogress = function () {
        wait();
      };
    }
    request.send(body);
  } catch (error) {
    finish();
    soon(settings, function () {
      failed('failed', '' + error);
    });
  }

  return function () {
    finish();
    failed = ignore;
    request.abort();
  };
}

/**
 * @param {any} request
 * @param {Settings} settings
 */
export function setCredentials(request, settings) {
  try {
    request.withCredentials = settings.withCredentials;
  } catch (error) {
    // Requests of the oldest engines take no members, nor do they cross origins.
  }
}
