/**
 * Owns the text encoding of payloads (PROTOCOL §4.3), for engines whose XMLHttpRequest knows no
 * bytes, and for answers that are read while they come. Only in the full build.
 */

import { charAt, escape, indexOf, substring, unescape } from '../language.js';
import { wellFormed } from '../platform/legacy/text.js';
import { fromBase64, toBase64 } from './base64.js';
import { protocolError } from './fault.js';
import { checkPacket, isBinary, parseNumber } from './packet.js';
import { LETTERS } from './payload.js';

/** Lengths are shorter than this. */
var MAX_LENGTH_DIGITS = 16;

/** @type {Encoding} */
export var TEXT_ENCODING = {
  contentType_: 'text/plain',
  // Engines have changed text on its way (to a Unicode normal form, or ended it at NUL): it goes up
  // as ASCII (PROTOCOL §4.7).
  pack_: function (packets) {
    return 'b=' + escape(encodeText(packets));
  },
  unpack_: function (body) {
    return decodeText(unescapeText(body));
  },
  toText_: function (body) {
    return body;
  }
};

/**
 * What comes down is escaped too, for engines that make a space of NUL (PROTOCOL §4.7, §14.3).
 * @param {string} text
 */
function unescapeText(text) {
  try {
    return unescape(text);
  } catch (error) {
    throw protocolError();
  }
}

/** @param {Packet[]} packets */
export function encodeText(packets) {
  var text = '';
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content_;
    if (isBinary(packets[i].letter_)) {
      content = toBase64(/** @type {Uint8Array} */ (content));
    }
    text += content.length + ':' + packets[i].letter_ + content;
  }
  return text;
}

/** @param {string} text */
export function decodeText(text) {
  var reader = { at: 0 };
  var packets = readText(reader, text, LETTERS);
  if (reader.at < text.length) {
    throw protocolError();
  }
  return packets;
}

/**
 * The packets that are whole, from where the reader is; it moves behind them.
 * @param {{ at: number }} reader
 * @param {string} text may end inside a packet
 * @param {string} letters
 */
export function readText(reader, text, letters) {
  var packets = [];
  for (;;) {
    var colon = indexOf(text, ':', reader.at);
    if (colon < 0) {
      if (text.length - reader.at > MAX_LENGTH_DIGITS) {
        throw protocolError();
      }
      return packets;
    }
    var start = colon + 2;
    var end = start + parseNumber(substring(text, reader.at, colon));
    if (end > text.length) {
      return packets;
    }
    var letter = charAt(text, colon + 1);
    var content = substring(text, start, end);
    // A length may end inside a surrogate pair; what it cuts is not text.
    if (wellFormed(content) !== content) {
      throw protocolError();
    }
    packets[packets.length] = checkPacket(
      letters, letter, isBinary(letter) ? fromBase64(content) : content);
    reader.at = end;
  }
}
