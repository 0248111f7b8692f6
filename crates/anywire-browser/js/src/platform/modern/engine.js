/**
 * Owns what is asked of the engine beside its transports and its timers. The modern build's;
 * legacy/engine.js has the same names.
 */

import root from '../../root.js';

/** The date may be set; this never goes backwards. */
function monotonicMs() {
  return performance.now();
}

/** The options that have other defaults here, or that no other platform has. */
export function platformOptions() {
  return {
    transports: ['websocket', 'poll'],
    now: monotonicMs
  };
}

export function newKey() {
  return crypto.getRandomValues(new Uint8Array(16)).reduce(function (key, number) {
    return key + (number + 256).toString(16).slice(1);
  }, '');
}

/** @param {string} url relative to the page */
export function absoluteUrl(url) {
  return new URL(url, root.location).href;
}

/** @param {Uint8Array} view */
export function copyBytes(view) {
  return new Uint8Array(view);
}

/** @param {any} data */
export function isBlob(data) {
  // A Response has that too, but no size.
  return data && data.size >= 0 && data.arrayBuffer;
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
export function readBlob(blob, done, failed) {
  blob.arrayBuffer().then(done, failed);
}

/** How binary messages come unless the application says. */
export function chooseBinaryType() {
  return 'blob';
}

/**
 * @param {Record<string, string>} store
 * @param {string} name of what is remembered there of an origin
 */
export function forgetIn(store, name) {
  delete store[name];
}
