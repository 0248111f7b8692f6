/**
 * Owns the payload: packets one after the other in an HTTP body, as text or as bytes
 * (PROTOCOL §4).
 * Leaves the single packet to packet.js and the choice of the encoding to its caller.
 */

var LETTERS = 'oxOntbapqcs';

/**
 * @param {Packet[]} packets
 * @param {boolean} binary the encoding
 * @returns {string | Uint8Array}
 */
function encodePayload(packets, binary) {
  return binary ? encodeBytes(packets) : encodeText(packets);
}

/**
 * @param {string | ArrayBuffer} payload a string in the text encoding, a buffer in the binary one
 * @returns {Packet[]}
 */
function decodePayload(payload) {
  return typeof payload === 'string' ? decodeText(payload) : decodeBytes(new Uint8Array(payload));
}

/** @param {Packet[]} packets */
function encodeText(packets) {
  var text = '';
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    if (packets[i].letter === BINARY) {
      content = toBase64(content);
    }
    text += content.length + ':' + packets[i].letter + content;
  }
  return text;
}

/** @param {string} text */
function decodeText(text) {
  var packets = [];
  var at = 0;
  while (at < text.length) {
    var colon = text.indexOf(':', at);
    var start = colon + 2;
    var end = start + parseNumber(colon < 0 ? '' : text.substring(at, colon));
    var letter = text.charAt(colon + 1);
    var content = text.substring(start, end);
    // A length may end inside a surrogate pair; what it cuts is not text.
    if (end > text.length || wellFormed(content) !== content) {
      throw protocolError();
    }
    packets.push(checkPacket(
      LETTERS, letter, letter === BINARY ? fromBase64(content) : content));
    at = end;
  }
  return packets;
}

/** @param {Packet[]} packets */
function encodeBytes(packets) {
  var encoder = new TextEncoder();
  var contents = [];
  var length = 0;
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    contents[i] = packets[i].letter === BINARY ? content : encoder.encode(content);
    length += contents[i].length + 6;
  }
  var bytes = new Uint8Array(length);
  var at = 0;
  for (i = 0; i < packets.length; i++) {
    for (length = contents[i].length; length > 127; length = Math.floor(length / 128)) {
      bytes[at++] = 128 | (length & 127);
    }
    bytes[at++] = length;
    bytes[at++] = packets[i].letter.charCodeAt(0);
    bytes.set(contents[i], at);
    at += contents[i].length;
  }
  return bytes.subarray(0, at);
}

/** @param {Uint8Array} bytes */
function decodeBytes(bytes) {
  // Without these options a byte order mark would vanish, and broken UTF-8 would pass.
  var decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
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
    var letter = String.fromCharCode(bytes[at++]);
    /** @type {any} */
    var content = new Uint8Array(bytes.subarray(at, at + length));
    if (letter !== BINARY) {
      try {
        content = decoder.decode(content);
      } catch (error) {
        throw protocolError();
      }
    }
    packets.push(checkPacket(LETTERS, letter, content));
    at += length;
  }
  return packets;
}

/**
 * Decodes an answer as a whole, so that nothing of a broken one is taken (PROTOCOL §6.2).
 * @param {string | ArrayBuffer} payload
 * @param {boolean} isFirst whether it must open the session
 */
function decodeAnswer(payload, isFirst) {
  var packets = decodePayload(payload);
  var letters = '';
  for (var i = 0; i < packets.length; i++) {
    letters += packets[i].letter;
  }
  if (!/^O?a(n[tb]*)?c?$/.test(letters) || (isFirst && letters.charAt(0) !== OPENED)) {
    throw protocolError();
  }
  return packets;
}
