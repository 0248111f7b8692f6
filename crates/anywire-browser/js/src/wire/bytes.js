/**
 * Owns the binary encoding of payloads (PROTOCOL §4.2).
 */

import { Bytes, Decoder, Encoder, charCodeAt, fromCharCode } from '../language.js';
import { protocolError } from './fault.js';
import { checkPacket, isBinary } from './packet.js';
import { LETTERS } from './payload.js';

/** @type {Encoding} */
export var BINARY_ENCODING = {
  contentType_: 'application/octet-stream',
  pack_: encodeBytes,
  unpack_: function (body) {
    return decodeBytes(new Bytes(body));
  },
  toText_: function (body) {
    return new Decoder().decode(body || undefined);
  }
};

/** @param {Packet[]} packets */
function encodeBytes(packets) {
  var encoder = new Encoder();
  /** @type {Uint8Array[]} */
  var contents = [];
  var length = 0;
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content_;
    contents[i] = isBinary(packets[i].letter_) ? /** @type {Uint8Array} */ (content) :
      encoder.encode(/** @type {string} */ (content));
    length += contents[i].length + 6;
  }
  var bytes = new Bytes(length);
  var at = 0;
  for (i = 0; i < packets.length; i++) {
    for (length = contents[i].length; length > 127; length >>= 7) {
      bytes[at++] = 128 | (length & 127);
    }
    bytes[at++] = length;
    bytes[at++] = charCodeAt(packets[i].letter_, 0);
    bytes.set(contents[i], at);
    at += contents[i].length;
  }
  return bytes.subarray(0, at);
}

/** @param {Uint8Array} bytes */
function decodeBytes(bytes) {
  // Without these options a byte order mark would vanish, and broken UTF-8 would pass.
  var decoder = new Decoder('utf-8', { fatal: true, ignoreBOM: true });
  var packets = [];
  var at = 0;
  while (at < bytes.length) {
    var length = 0;
    var scale = 1;
    var group;
    do {
      group = bytes[at++];
      length += (group & 127) * scale;
      scale *= 128;
    } while (group > 127 && scale < 34359738368);
    // The last group must end the number, exist, and not be a zero that says nothing.
    if (!(group < 128) || (!group && scale > 128) || at + 1 + length > bytes.length) {
      throw protocolError();
    }
    var letter = fromCharCode(bytes[at++]);
    var content = new Bytes(bytes.subarray(at, at + length));
    packets[packets.length] = checkPacket(
      LETTERS, letter, isBinary(letter) ? content : decoder.decode(content));
    at += length;
  }
  return packets;
}
