/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down, and how long
 * nothing may move.
 * Leaves what is in them to poll-leg.js.
 */

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {Encoding} encoding of the bodies
 * @param {any} body
 * @param {number} patienceMs
 * @param {(body: any) => void} answered
 * @param {(outcome: string, detail: string, text?: string, retryAfterMs?: number) => void} failed
 * @returns {() => void} aborts it, without a callback
 */
function startExchange(settings, url, encoding, body, patienceMs, answered, failed) {
  var request = new settings.XMLHttpRequest();
  var timer = createTimer(settings, function () {
    finish();
    request.abort();
    failed('silent', 'no answer');
  });

  var wait = function () {
    timer.set(patienceMs);
  };

  function finish() {
    timer.stop();
    request.onreadystatechange = wait = ignore;
  }

  wait();
  try {
    request.open('POST', url, true);
    request.setRequestHeader('Content-Type', encoding.contentType);
    request.withCredentials = settings.withCredentials;
    request.responseType = encoding.responseType;
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
        answer = request[encoding.field];
        retryAfterMs = request.getResponseHeader('Retry-After') * 1000;
        status = request.status;
      } catch (error) {
        // Old browsers throw where there is no answer.
      }
      if (status === 200) {
        answered(answer);
      } else {
        failed(
          status ? 'refused' : 'closed', 'http ' + status, encoding.toText(answer), retryAfterMs);
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

function ignore() {}
