/**
 * Owns base64, for binary messages in the text encoding. The engine's own is left alone: some go
 * through UTF-8 with it.
 * Leaves what the bytes mean to text.js. Only in the full build.
 */

import { Bytes, charAt, exec, indexOf, replace, substring } from '../language.js';
import { protocolError } from './fault.js';

var DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  var text = '';
  var rest = 0;
  // Nothing is read behind the end, where some throw.
  for (var i = 0; i < bytes.length; i++) {
    var shift = i % 3 * 2 + 2;
    text += charAt(DIGITS, rest | bytes[i] >> shift);
    rest = bytes[i] << 6 - shift & 63;
    if (shift > 4) {
      text += charAt(DIGITS, rest);
      rest = 0;
    }
  }
  return i % 3 ? text + charAt(DIGITS, rest) + substring('==', i % 3 - 1, 2) : text;
}

/**
 * The bytes, or the text as it is where the browser knows no bytes.
 * @param {string} text
 */
export function fromBase64(text) {
  if (text.length % 4 || !exec(/^[A-Za-z0-9+\/]*={0,2}$/, text)) {
    throw protocolError();
  }
  if (!Bytes) {
    return text;
  }
  var bytes = new Bytes(replace(text, /=/g, '').length * 3 >> 2);
  for (var i = 0; i < bytes.length; i++) {
    // Where it begins, in digits of six bits.
    var at = i * 4 / 3 | 0;
    var shift = i % 3 * 2;
    bytes[i] = 255 & (indexOf(DIGITS, charAt(text, at)) << shift + 2 |
      indexOf(DIGITS, charAt(text, at + 1)) >> 4 - shift);
  }
  return bytes;
}
