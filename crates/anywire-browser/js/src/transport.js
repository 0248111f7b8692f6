/**
 * Owns the two kinds of connection that the negotiation chooses from, and whether the application allows one.
 * Leaves what carries down in place of a held poll to the platforms that have it.
 */

/** @type {'websocket'} */
export var WEBSOCKET = 'websocket';
/** @type {'poll'} */
export var POLL = 'poll';

/**
 * @param {Settings} settings
 * @param {string} transport
 */
export function isListed(settings, transport) {
  for (var i = 0; i < settings.transports.length; i++) {
    if (settings.transports[i] === transport) {
      return true;
    }
  }
  return false;
}

/** The callback of what has stopped. */
export function ignore() {}
