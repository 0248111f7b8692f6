/**
 * Owns the content of a close, and what its codes mean (PROTOCOL §3.5, §8.3).
 * Leaves how a session closes to session.js.
 */

import { utf8Length } from '#platform/text.js';
import { exec } from '../language.js';
import { protocolError } from './fault.js';

/** "A newer connection carries the session." */
export var SUPERSEDED_CODE = 4900;
export var UNKNOWN_SESSION = 4930;

export var MAX_REASON_BYTES = 123;

/**
 * @param {string} content of a close packet
 * @returns {Close}
 */
export function parseClose(content) {
  // The codes are those that a WebSocket's close may carry (PROTOCOL §3.5).
  // Where nothing else does, the end matches.
  var parts = /** @type {string[]} */ (exec(/^(10(?:0[0-37-9]|1[0-4])|[34]\d{3})(?: ([\s\S]*))?$|$/, content));
  var reason = parts[2] || '';
  if (!parts[1] || utf8Length(reason) > MAX_REASON_BYTES) {
    throw protocolError();
  }
  return { code: +parts[1], reason: reason };
}

/**
 * @param {number} code
 * @param {string} reason
 */
export function closeContent(code, reason) {
  return code + (reason ? ' ' + reason : '');
}

/**
 * Whether a code says that the session lives (PROTOCOL §8.3).
 * @param {number} code
 */
export function isRetry(code) {
  return code >= SUPERSEDED_CODE && code < 4930;
}
