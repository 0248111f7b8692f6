/**
 * Owns where a text may be cut (PROTOCOL §4.9).
 * Leaves what is cut to the outbox, and what is joined to the inbox.
 */

import { utf8Length } from '#platform/text.js';
import { charCodeAt, floor, max, min, substring } from '../language.js';

/** How many bytes the last search has not used. */
export var bytesLeft = 0;

/**
 * Where the last whole character ends that begins and ends within so many bytes of UTF-8.
 * @param {string} text
 * @param {number} at where the bytes begin
 * @param {number} bytes
 */
export function textEnd(text, at, bytes) {
  while (at < text.length) {
    // No unit has more than three bytes. To measure many at once is faster than to look at each.
    var end = min(at + max(1, floor(bytes / 3)), text.length);
    if ((charCodeAt(text, end - 1) & 0xfc00) === 0xd800 && (charCodeAt(text, end) & 0xfc00) === 0xdc00) {
      // A pair goes whole.
      end += end - at > 1 ? -1 : 1;
    }
    var size = utf8Length(substring(text, at, end));
    if (size > bytes) {
      break;
    }
    bytes -= size;
    at = end;
  }
  bytesLeft = bytes;
  return at;
}
