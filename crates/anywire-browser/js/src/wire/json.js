/**
 * Owns reading JSON that another has written, which may be anything, and writing lists as JSON: a page may have told the
 * engine's own how to write them.
 * Leaves JSON itself, and texts in it, to the platform.
 */

import { parse } from '#platform/json.js';
import { join, own } from '../language.js';

/**
 * Of the members of an object these, if it has them itself: a page may have given some to all objects.
 * @param {any} text JSON, or an object that was JSON
 * @param {string[]} names
 * @returns {any} without a member if it is no object
 */
export function readJson(text, names) {
  /** @type {any} */
  var members = {};
  try {
    var object = typeof text === 'string' ? parse(text) : text;
    for (var i = 0; i < names.length; i++) {
      members[names[i]] = own(object, names[i]);
    }
  } catch (error) {
    // It is not JSON, or null.
  }
  return members;
}

/** @param {string[]} tokens none of which needs an escape */
export function jsonList(tokens) {
  return tokens.length ? '["' + join(tokens, '","') + '"]' : '[]';
}
