/**
 * Owns the WebSocket frame of a packet (PROTOCOL §5.4).
 * Leaves what a packet is to packet.js.
 */

import { Bytes, charAt, substring } from '../language.js';
import { BINARY, checkPacket, newPacket, TEXT } from './packet.js';

/** Begins every text frame that is not simply a message. */
var ESCAPE = '\x10';

/**
 * @param {string} letter
 * @param {string | Uint8Array} content
 * @returns {string | ArrayBuffer} what WebSocket's `send` takes
 */
export function encodeFrame(letter, content) {
  if (typeof content !== 'string') {
    return /** @type {ArrayBuffer} */ (content.buffer);
  }
  if (letter === TEXT) {
    return charAt(content, 0) === ESCAPE ? ESCAPE + content : content;
  }
  return ESCAPE + letter + content;
}

/**
 * @param {string | ArrayBuffer} frame
 * @returns {ReceivedPacket}
 */
export function decodeFrame(frame) {
  if (typeof frame !== 'string') {
    return newPacket(BINARY, new Bytes(frame));
  }
  if (charAt(frame, 0) !== ESCAPE) {
    return newPacket(TEXT, frame);
  }
  if (charAt(frame, 1) === ESCAPE) {
    return newPacket(TEXT, substring(frame, 1, frame.length));
  }
  return checkPacket('oxOTBapqcsrlk-', charAt(frame, 1), substring(frame, 2, frame.length));
}
