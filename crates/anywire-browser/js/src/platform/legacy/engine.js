/**
 * Owns what is asked of the engine beside its transports and its timers, with stand-ins for what old
 * ones lack. The full build's; modern/engine.js has the same names.
 */

import root from '../../root.js';

/** Never goes backwards, where the engine has such a clock. */
var monotonicMs = root.performance && performance.now ? function () {
  return performance.now();
} : function () {
  return new Date().getTime();
};

/** The options that have other defaults here, or that no other platform has. */
export function platformOptions() {
  return {
    transports: ['websocket', 'stream', 'events', 'poll', 'jsonp'],
    now: monotonicMs,
    encoding: 'auto',
    EventSource: root.EventSource,
    document: root.document
  };
}

/**
 * @param {number} count
 * @returns {any} an array of bytes
 */
function randomBytes(count) {
  /** @type {any} */
  var bytes = [];
  if (root.crypto && crypto.getRandomValues) {
    bytes = new Uint8Array(count);
    // Its first implementations return nothing.
    crypto.getRandomValues(bytes);
  }
  while (bytes.length < count) {
    bytes.push(Math.floor(Math.random() * 256));
  }
  return bytes;
}

export function newKey() {
  var bytes = randomBytes(16);
  var key = '';
  for (var i = 0; i < 16; i++) {
    key += (bytes[i] + 256).toString(16).substr(1);
  }
  return key;
}

/** @param {string} url relative to the page */
export function absoluteUrl(url) {
  if (!root.document) {
    return new URL(url, root.location && root.location.href).href;
  }
  // The way that every browser has.
  var anchor = document.createElement('a');
  anchor.href = url;
  return anchor.href;
}

/** @param {Uint8Array} view */
export function copyBytes(view) {
  var bytes = new Uint8Array(view.length);
  // Asked for a copy of a view, KHTML gives one of what its buffer begins with.
  for (var i = 0; i < view.length; i++) {
    bytes[i] = view[i];
  }
  return bytes;
}

/** @param {any} data */
export function isBlob(data) {
  return / (Blob|File)\b/.test(Object.prototype.toString.call(data));
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
export function readBlob(blob, done, failed) {
  var reader = new FileReader();
  reader.onload = function () {
    done(/** @type {ArrayBuffer} */ (reader.result));
  };
  reader.onerror = failed;
  reader.readAsArrayBuffer(blob);
}

/** How binary messages come unless the application says. */
export function chooseBinaryType() {
  try {
    return new Blob([]) && 'blob';
  } catch (error) {
    // Some have a Blob that cannot be made.
    return 'arraybuffer';
  }
}

/**
 * @param {Record<string, string>} store
 * @param {string} name of what is remembered there of an origin
 */
export function forgetIn(store, name) {
  delete store[name];
  for (var other in store) {
    // What is remembered of the streams of an origin begins with its name.
    if (!other.indexOf(name)) {
      delete store[other];
    }
  }
}
