/**
 * Owns reading JSON that another has written: it may be anything.
 * Leaves JSON itself to the platform.
 */

import { json } from '#platform/json.js';

/**
 * @param {string | undefined} text
 * @returns {object} an empty one if it is not JSON
 */
export function parseJson(text) {
  try {
    return json.parse(/** @type {string} */ (text)) || {};
  } catch (error) {
    return {};
  }
}
