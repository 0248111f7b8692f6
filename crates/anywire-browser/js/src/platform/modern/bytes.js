/**
 * Owns the bytes of a message in parts. The modern build's; legacy/bytes.js has the same names.
 */

import { Bytes } from '../../language.js';

/** @param {any} bytes */
export function bytesLength(bytes) {
  return bytes.length;
}

/**
 * @param {any} bytes
 * @param {number} count of those that are left out
 */
export function bytesBehind(bytes, count) {
  return bytes.subarray(count);
}

/**
 * @param {any[]} parts
 * @param {number} length
 * @returns {any}
 */
export function joinBytes(parts, length) {
  var bytes = new Bytes(length);
  length = 0;
  for (var i = 0; i < parts.length; i++) {
    bytes.set(parts[i], length);
    length += parts[i].length;
  }
  return bytes;
}
