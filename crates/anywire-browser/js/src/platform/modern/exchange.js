/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down, and how long
 * nothing may move. The modern build's; legacy/exchange.js is the full one's.
 * Leaves what is in them to transports/poll.js.
 */

import { whatFailed } from '../../endpoint.js';
import { createTimer } from '../../timers.js';

/** @type {Exchange} */
export function startExchange(settings, endpoints, encoding, body, patienceMs, answered, failed) {
  /** @type {XMLHttpRequest} */
  var request = new settings.XMLHttpRequest();
  var outcome = 'silent';
  var detail = 'no answer';
  var timer = createTimer(settings, function () {
    stop();
    failed(outcome, detail);
  });

  function wait() {
    timer.set_(patienceMs);
  }

  function stop() {
    request.onloadend = null;
    request.abort();
    // After that: it may have told of progress once more.
    timer.stop_();
  }

  request.upload.onprogress = request.onprogress = wait;
  request.onloadend = function () {
    timer.stop_();
    var status = request.status;
    if (status === 200) {
      answered(request.response);
    } else {
      failed(status ? 'refused' : 'closed', whatFailed(status, endpoints.poll),
        encoding.toText_(request.response), +(request.getResponseHeader('Retry-After') || 0) * 1000);
    }
  };
  wait();
  try {
    request.open('POST', endpoints.poll);
    request.setRequestHeader('Content-Type', encoding.contentType_);
    request.withCredentials = settings.withCredentials;
    request.responseType = 'arraybuffer';
    request.send(body);
  } catch (error) {
    // What guards a page may forbid a request.
    outcome = 'failed';
    detail = '' + error;
    timer.set_(0);
  }
  return stop;
}
