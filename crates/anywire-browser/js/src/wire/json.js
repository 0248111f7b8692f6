/**
 * Owns reading JSON that another has written: it may be anything.
 * Leaves JSON itself to the platform.
 */

import { json } from '#platform/json.js';

/**
 * @param {any} text
 * @returns {any} an empty object if it is not JSON
 */
export function parseJson(text) {
  try {
    return json.parse(text) || {};
  } catch (error) {
    return {};
  }
}
