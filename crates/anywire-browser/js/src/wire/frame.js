/**
 * Owns the WebSocket frame of a packet (PROTOCOL §5.4).
 * Leaves what a packet is to packet.js.
 */

import { BINARY, checkPacket, newPacket, TEXT } from './packet.js';

/** Begins every text frame that is not simply a message. */
var ESCAPE = '\x10';

/**
 * @param {string} letter
 * @param {string | number | Uint8Array} content
 * @returns {string | ArrayBuffer} what WebSocket's `send` takes
 */
export function encodeFrame(letter, content) {
  if (letter === BINARY) {
    return /** @type {ArrayBuffer} */ (/** @type {Uint8Array} */ (content).buffer);
  }
  if (letter === TEXT) {
    var text = /** @type {string} */ (content);
    return text.charAt(0) === ESCAPE ? ESCAPE + text : text;
  }
  return ESCAPE + letter + content;
}

/**
 * @param {string | ArrayBuffer} frame
 * @returns {ReceivedPacket}
 */
export function decodeFrame(frame) {
  if (typeof frame !== 'string') {
    return newPacket(BINARY, new Uint8Array(frame));
  }
  if (frame.charAt(0) !== ESCAPE) {
    return newPacket(TEXT, frame);
  }
  if (frame.charAt(1) === ESCAPE) {
    return newPacket(TEXT, frame.substr(1));
  }
  return checkPacket('oxOapqcsr-', frame.charAt(1), frame.substr(2));
}
