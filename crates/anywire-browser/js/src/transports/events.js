/**
 * Owns one event stream down over the browser's EventSource (PROTOCOL §14).
 * Leaves when to make one, and what its silence means, to streams.js. Only in the full build.
 */

import { escape, indexOf, replace, unescape } from '../language.js';
import { ignore } from '../transport.js';
import { STREAM_LETTERS } from '../wire/payload.js';
import { readText } from '../wire/text.js';

/** @type {OpenStream} */
export function openEvents(settings, url, attachment, heard, ended) {
  var offer = 'anywire.v1,anywire.attach.' + replace(/** @type {string} */ (attachment[0].content_), / /g, '.');
  // Where it cannot cross origins, this throws.
  var source = new settings.EventSource(
    url + (indexOf(url, '?') < 0 ? '?' : '&') + 'anywire.offer=' + escape(offer),
    { withCredentials: settings.withCredentials });

  function stop() {
    source.onmessage = source.onerror = ignore;
    source.close();
  }

  source.onmessage = function (/** @type {MessageEvent} */ event) {
    heard(function () {
      var reader = { at: 0 };
      return readText(reader, unescape(event.data), STREAM_LETTERS);
    });
  };
  // It ends only to come again by itself, with an offer that may be too old.
  source.onerror = function () {
    stop();
    ended();
  };
  return stop;
}
