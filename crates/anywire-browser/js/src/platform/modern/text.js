/**
 * Owns the text of a message, as UTF-8. The modern build's; legacy/text.js has the same names.
 */

import { Encoder } from '../../language.js';

/**
 * How many bytes a text takes in UTF-8.
 * @param {string} text
 */
export function utf8Length(text) {
  return new Encoder().encode(text).length;
}

/**
 * The text as it goes: what takes it puts U+FFFD for each surrogate that stands alone.
 * @param {string} text
 */
export function wellFormed(text) {
  return text;
}
