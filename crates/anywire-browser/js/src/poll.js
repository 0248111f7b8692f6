/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down.
 * Leaves what is in them, and how long to wait, to poll-leg.js.
 */

/**
 * @param {any} XMLHttpRequest the constructor
 * @param {string} url
 * @param {boolean} isBinary whether bodies are bytes; otherwise they are text
 * @param {boolean} withCredentials
 * @param {Clock} clock
 * @returns {Transport}
 */
function createPollTransport(XMLHttpRequest, url, isBinary, withCredentials, clock) {
  /** @type {any} */
  var request;

  function changed() {
    transport.onprogress();
    if (request.readyState < 4) {
      return;
    }
    request.onreadystatechange = ignore;
    var status = 0;
    var body;
    var retryAfterMs;
    try {
      body = isBinary ? request.response : request.responseText;
      retryAfterMs = request.getResponseHeader('Retry-After') * 1000;
      status = request.status;
    } catch (error) {
      // Old browsers throw where there is no answer.
    }
    if (status === 200) {
      transport.onpayload(body);
    } else {
      transport.onclose('http ' + status,
        isBinary ? new TextDecoder().decode(body || undefined) : body, retryAfterMs);
    }
  }

  var transport = /** @type {Transport} */ ({
    open: function () {
      request = new XMLHttpRequest();
    },

    send: function (body) {
      try {
        request.open('POST', url, true);
        request.setRequestHeader('Content-Type',
          isBinary ? 'application/octet-stream' : 'text/plain');
        request.withCredentials = withCredentials;
        if (isBinary) {
          request.responseType = 'arraybuffer';
        }
        request.onreadystatechange = changed;
        if (request.upload) {
          request.upload.onprogress = function () {
            transport.onprogress();
          };
        }
        request.send(body);
      } catch (error) {
        request.onreadystatechange = ignore;
        clock.setTimeout(function () {
          transport.onclose('threw ' + error);
        }, 0);
      }
    },

    close: function () {
      transport.onclose = ignore;
      request.onreadystatechange = ignore;
      request.abort();
    }
  });
  return transport;
}
