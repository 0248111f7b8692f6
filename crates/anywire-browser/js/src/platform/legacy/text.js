/**
 * Owns the text of a message: no surrogate stands alone in it, and its length is that of its UTF-8. The full build's;
 * modern/text.js has the same names.
 */

import { charCodeAt, replace } from '../../language.js';

/**
 * How many bytes a text takes in UTF-8.
 * @param {string} text
 */
export function utf8Length(text) {
  var length = text.length;
  // Most texts are ASCII, and slow engines are quick to leave it out.
  var rest = replace(text, /[\x00-\x7f]+/g, '');
  for (var i = 0; i < rest.length; i++) {
    var unit = charCodeAt(rest, i);
    // A surrogate stands for half of a character of four bytes.
    length += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return length;
}

/**
 * The text with U+FFFD for each surrogate that stands alone, as WebSocket sends it.
 * @param {string} text
 */
export function wellFormed(text) {
  return replace(text, /[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, function (/** @type {string} */ match) {
    return match.length > 1 ? match : '\uFFFD';
  });
}
