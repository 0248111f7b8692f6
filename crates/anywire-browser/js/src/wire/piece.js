/**
 * Owns where a text may be cut (PROTOCOL §4.9).
 * Leaves what is cut to the outbox, and what is joined to the inbox.
 */

import { charCodeAt } from '../language.js';

/**
 * Where the last whole character ends that begins and ends within so many bytes of UTF-8.
 * @param {string} text
 * @param {number} at where the bytes begin
 * @param {number} bytes
 */
export function textEnd(text, at, bytes) {
  while (at < text.length) {
    var unit = charCodeAt(text, at);
    // A surrogate that stands alone goes as U+FFFD.
    var isPair = (unit & 0xfc00) === 0xd800 && (charCodeAt(text, at + 1) & 0xfc00) === 0xdc00;
    bytes -= unit < 0x80 ? 1 : unit < 0x800 ? 2 : isPair ? 4 : 3;
    if (bytes < 0) {
      break;
    }
    at += isPair ? 2 : 1;
  }
  return at;
}
