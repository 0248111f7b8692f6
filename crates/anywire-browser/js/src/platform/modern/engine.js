/**
 * Owns what is asked of the engine beside its transports and its timers. The modern build's;
 * legacy/engine.js has the same names.
 */

import { Bytes } from '../../language.js';
import root from '../../root.js';

var clock = root.performance;
var crypto = root.crypto;
var Address = root.URL;
var toList = Array.from;
var iterator = root.Symbol.iterator;

/** The date may be set; this never goes backwards. */
function monotonicMs() {
  return clock.now();
}

/** The options that have other defaults here, or that no other platform has. */
export function platformOptions() {
  return {
    transports: ['websocket', 'poll'],
    now: monotonicMs
  };
}

/** @param {number} count */
export function randomBytes(count) {
  return crypto.getRandomValues(new Bytes(count));
}

/**
 * @param {string} url relative to the document
 * @returns {string} nothing if it is no address
 */
export function absoluteUrl(url) {
  try {
    return new Address(url, root.document ? root.document.baseURI : root.location).href;
  } catch (error) {
    return '';
  }
}

/** @param {Uint8Array} view */
export function copyBytes(view) {
  return new Bytes(view);
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
 * What WebSocket takes for a sequence, or one.
 * @param {any} some
 * @returns {any[]}
 */
export function listOf(some) {
  return some && typeof some === 'object' && (some.length >= 0 || some[iterator]) ? toList(some) : [some];
}
