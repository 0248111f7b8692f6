/**
 * Owns the bytes of a message in parts, which are base64 where the engine knows no bytes. The full build's;
 * modern/bytes.js has the same names.
 */

import { Bytes, join, replace, substring } from '../../language.js';
import { protocolError } from '../../wire/fault.js';
import * as typed from '../modern/bytes.js';

/** @param {any} bytes */
export function bytesLength(bytes) {
  return Bytes ? typed.bytesLength(bytes) : replace(bytes, /=/g, '').length * 3 >> 2;
}

/**
 * @param {any} bytes
 * @param {number} count of those that are left out
 */
export function bytesBehind(bytes, count) {
  if (Bytes) {
    return typed.bytesBehind(bytes, count);
  }
  if (count % 3) {
    // Parts are multiples of three, so that their base64 can be cut and joined.
    throw protocolError();
  }
  return substring(bytes, count / 3 * 4, bytes.length);
}

/**
 * @param {any[]} parts
 * @param {number} length
 * @returns {any}
 */
export function joinBytes(parts, length) {
  if (!Bytes) {
    return join(parts, '');
  }
  // One by one: where bytes are set at once up to the end, KHTML throws.
  var bytes = new Bytes(length);
  var at = 0;
  for (var i = 0; i < parts.length; i++) {
    for (var j = 0; j < parts[i].length; j++) {
      bytes[at++] = parts[i][j];
    }
  }
  return bytes;
}
