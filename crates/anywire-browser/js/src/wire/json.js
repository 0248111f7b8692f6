/**
 * Owns reading JSON that another has written: it may be anything.
 * Leaves JSON itself to the platform.
 */

import { parse } from '#platform/json.js';
import { own } from '../language.js';

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
