/**
 * Owns one stream down over the browser's XMLHttpRequest, read while it comes (PROTOCOL §13).
 * Leaves when to make one, and what its silence means, to streams.js. Only in the full build.
 */

import { setCredentials } from '../platform/legacy/exchange.js';
import { ignore } from '../transport.js';
import { STREAM_LETTERS } from '../wire/payload.js';
import { readText, TEXT_ENCODING } from '../wire/text.js';

/** @type {OpenStream} */
export function openStream(settings, url, attachment, heard, ended) {
  var request = new settings.XMLHttpRequest();
  var reader = { at: 0 };
  var seen = 0;
  var isOver = false;

  function look() {
    var text = '';
    try {
      text = request.status === 200 ? request.responseText : '';
    } catch (error) {
      // Some engines throw until the answer is whole.
    }
    if (text.length > seen) {
      seen = text.length;
      heard(function () {
        return readText(reader, text, STREAM_LETTERS);
      });
    }
  }

  function stop() {
    isOver = true;
    request.onreadystatechange = ignore;
  }

  request.open('POST', url, true);
  request.setRequestHeader('Content-Type', TEXT_ENCODING.contentType_);
  setCredentials(request, settings);
  request.onreadystatechange = function () {
    if (request.readyState > 2) {
      look();
    }
    // What was heard may have stopped it.
    if (request.readyState === 4 && !isOver) {
      stop();
      ended();
    }
  };
  request.send(TEXT_ENCODING.pack_(attachment));

  return function () {
    stop();
    request.abort();
  };
}
