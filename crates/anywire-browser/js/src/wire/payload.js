/**
 * Owns the payload: packets one after the other in an HTTP body (PROTOCOL §4), and which packets
 * an answer may have.
 * Leaves the encodings to files of their own, and the single packet to packet.js.
 */

import { charAt, exec } from '../language.js';
import { protocolError } from './fault.js';
import { OPENED, PADDING } from './packet.js';

export var LETTERS = 'oxOntbTBapqcsrlk-';
/** Of a stream down. */
export var STREAM_LETTERS = 'OqantbTBcsk-';

/**
 * Decodes an answer as a whole, so that nothing of a broken one is taken (PROTOCOL §6.2).
 * @param {Encoding} encoding
 * @param {any} body
 * @param {boolean} isFirst whether it must open the session
 */
export function decodeAnswer(encoding, body, isFirst) {
  var packets = encoding.unpack_(body);
  var letters = '';
  for (var i = 0; i < packets.length; i++) {
    if (packets[i].letter_ !== PADDING) {
      letters += packets[i].letter_;
    }
  }
  if (!exec(/^O?q?ak?(n[tbTB]*)?c?$/, letters) || (isFirst && charAt(letters, 0) !== OPENED)) {
    throw protocolError();
  }
  return packets;
}
