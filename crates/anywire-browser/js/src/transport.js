/**
 * Owns the two kinds of connection that the negotiation chooses from, and whether the application allows one.
 * Leaves what carries down in place of a held poll to the platforms that have it.
 */

import { indexOf } from './language.js';

/** @type {'websocket'} */
export var WEBSOCKET = 'websocket';
/** @type {'poll'} */
export var POLL = 'poll';

/**
 * @param {Settings} settings
 * @param {string} transport
 */
export function isListed(settings, transport) {
  // No name is a part of another.
  return indexOf('' + settings.transports, transport) >= 0;
}

/** The callback of what has stopped. */
export function ignore() {}
