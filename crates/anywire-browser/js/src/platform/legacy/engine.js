/**
 * Owns what is asked of the engine beside its transports and its timers, with stand-ins for what old
 * ones lack. The full build's; modern/engine.js has the same names.
 */

import { append, Bytes, date, escape, exec, floor, PageBlob, random, replace } from '../../language.js';
import root from '../../root.js';
import { take } from './take.js';

var clock = root.performance;
var crypto = root.crypto;
var Address = root.URL;
var Reader = root.FileReader;
var EventSource = root.EventSource;
var iterator = root.Symbol && root.Symbol.iterator;
var toTag = /*#__PURE__*/ take({}.toString);

/** Never goes backwards, where the engine has such a clock. */
var monotonicMs = clock && clock.now ? function () {
  return clock.now();
} : date;

/** The options that have other defaults here, or that no other platform has. */
export function platformOptions() {
  return {
    transports: ['websocket', 'stream', 'events', 'poll', 'jsonp'],
    now: monotonicMs,
    encoding: 'auto',
    EventSource: EventSource,
    document: root.document
  };
}

/**
 * @param {number} count
 * @returns {any} an array of bytes
 */
export function randomBytes(count) {
  /** @type {any} */
  var bytes = [];
  if (crypto && crypto.getRandomValues) {
    bytes = new Bytes(count);
    // Its first implementations return nothing.
    crypto.getRandomValues(bytes);
  }
  while (bytes.length < count) {
    bytes[bytes.length] = floor(random() * 256);
  }
  return bytes;
}

/** An address as an anchor gives it: what is none, it gives as it is. */
var ADDRESS =
  /^(?:http|ws)s?:\/\/(?:[^\/?#@]*@)?(?:\[[\da-f:.]+\]|[^\/?#@:\[\]\s]+)(?::(\d{1,5}))?(?:[\/?#]|$)/i;
var MAX_PORT = 65535;

/** Engines have had a URL that does not parse. */
var canParse = Address && Address.prototype && 'href' in Address.prototype;

/**
 * @param {string} url relative to the document
 * @returns {string} nothing if it is no address
 */
export function absoluteUrl(url) {
  var page = root.document;
  try {
    if (canParse) {
      return new Address(url, page ? page.baseURI : root.location && root.location.href).href;
    }
    var anchor = page.createElement('a');
    // It would write a query in the document's charset.
    anchor.href = replace(url, /\?.*/, function (/** @type {string} */ query) {
      return replace(query, /[^\x00-\x7f]+/g, escape);
    });
    var parts = exec(ADDRESS, anchor.href);
    return parts && !(+parts[1] > MAX_PORT) ? anchor.href : '';
  } catch (error) {
    return '';
  }
}

/** @param {Uint8Array} view */
export function copyBytes(view) {
  var bytes = new Bytes(view.length);
  // Asked for a copy of a view, KHTML gives one of what its buffer begins with.
  for (var i = 0; i < view.length; i++) {
    bytes[i] = view[i];
  }
  return bytes;
}

/** @param {any} data */
export function isBlob(data) {
  return !!exec(/ (Blob|File)\b/, toTag(data));
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
export function readBlob(blob, done, failed) {
  var reader = new Reader();
  reader.onload = function () {
    done(/** @type {ArrayBuffer} */ (reader.result));
  };
  reader.onerror = failed;
  reader.readAsArrayBuffer(blob);
}

/** How binary messages come unless the application says. */
export function chooseBinaryType() {
  try {
    return new PageBlob([]) && 'blob';
  } catch (error) {
    // Some have a Blob that cannot be made.
    return 'arraybuffer';
  }
}

/**
 * What WebSocket takes for a sequence, or one.
 * @param {any} some
 */
export function listOf(some) {
  if (some && typeof some === 'object') {
    if (some.length >= 0) {
      return append([], some);
    }
    if (iterator && some[iterator]) {
      var list = [];
      var rest = some[iterator]();
      for (var step; !(step = rest.next()).done;) {
        list[list.length] = step.value;
      }
      return list;
    }
  }
  return [some];
}
