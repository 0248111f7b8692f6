/**
 * Owns the packet: its letters, and the contents that have a form (PROTOCOL §3).
 * Leaves runs of packets to payload.js, its WebSocket frame to frame.js, and what a packet does to session.js and
 * the legs.
 */

import { exec, indexOf } from '../language.js';
import { parseClose } from './close.js';
import { protocolError } from './fault.js';

export var OPEN = 'o';
export var ATTACH = 'x';
export var OPENED = 'O';
export var OFFSET = 'n';
export var TEXT = 't';
export var BINARY = 'b';
export var TEXT_PART = 'T';
export var BINARY_PART = 'B';
export var ACK = 'a';
export var PING = 'p';
export var PONG = 'q';
export var CLOSE = 'c';
export var SUPERSEDED = 's';
export var REPORT = 'r';
export var LEAVE = 'l';
export var CREDENTIAL = 'k';
export var PADDING = '-';

var MAX_NUMBER = 9007199254740991;

/**
 * A number as PROTOCOL §1.6 wants it.
 * @param {string} text
 */
export function parseNumber(text) {
  var number = exec(/^(0|[1-9]\d{0,15})$/, text) ? +text : NaN;
  if (!(number <= MAX_NUMBER)) {
    throw protocolError();
  }
  return number;
}

/**
 * A number of messages, and of bytes of the next one (PROTOCOL §4.9, §4.11).
 * @param {string} text
 * @returns {Place}
 */
function parsePlace(text) {
  // Where nothing else does, the end matches.
  var numbers = /** @type {string[]} */ (exec(/^(\d+)(?: (\d+))?$|$/, text));
  return [parseNumber(numbers[1]), parseNumber(numbers[2] || '0')];
}

/** @param {Place} place */
export function placeContent(place) {
  return place[0] + (place[1] ? ' ' + place[1] : '');
}

/**
 * Whether a message, or a part of one, is bytes.
 * @param {string} letter
 */
export function isBinary(letter) {
  return letter === BINARY || letter === BINARY_PART;
}

/**
 * Whether a message or a part of one is a part, behind which it goes on.
 * @param {string} letter
 */
export function isPart(letter) {
  // The letters of parts are capitals.
  return letter < 'a';
}

/**
 * @template T
 * @param {string} letter
 * @param {T} content
 */
export function newPacket(letter, content) {
  return { letter_: letter, content_: content };
}

/**
 * A packet from the wire, with a place or a close in place of a content that has such a form.
 * Contents that only the server reads are not looked into.
 * @param {string} letters that may stand here
 * @param {string} letter
 * @param {string | Uint8Array} content
 * @returns {ReceivedPacket}
 */
export function checkPacket(letters, letter, content) {
  if (!letter || indexOf(letters, letter) < 0 || (letter === SUPERSEDED && content)) {
    throw protocolError();
  }
  var text = /** @type {string} */ (content);
  return newPacket(letter,
    letter === ACK || letter === OFFSET ? parsePlace(text) : letter === CLOSE ? parseClose(text) : content);
}
