/**
 * Owns the veil of a body (PROTOCOL §4.13): the binary encoding, so that proxies see no text in it.
 * Leaves when to veil to poll.js.
 */

import { randomBytes } from '#platform/engine.js';
import { Bytes, charCodeAt, Decoder, escape, fromCharCode, replace, substring } from '../language.js';
import root from '../root.js';
import { BINARY_ENCODING } from './bytes.js';
import { protocolError } from './fault.js';

var fromBase64 = root.atob;
var toBase64 = root.btoa;
/** What makes a character of each byte that is written %XX. */
var toBinary = root.unescape;

/** Whether the engine has what it needs. */
export var canVeil = !!(Decoder && toBase64);

/** @type {Encoding} */
export var VEILED_ENCODING = {
  // What filters let pass that refuse the others.
  contentType_: 'application/x-www-form-urlencoded',
  pack_: function (packets) {
    var payload = BINARY_ENCODING.pack_(packets);
    var mask = randomBytes(4);
    // A letter follows the mark; a digit may look like the begin of a command to a database.
    mask[0] &= 127;
    var binary = '';
    for (var i = -4; i < payload.length; i++) {
      binary += fromCharCode(i < 0 ? mask[i + 4] : payload[i] ^ mask[i & 3]);
    }
    return veil(binary);
  },
  unpack_: function (body) {
    var text = BINARY_ENCODING.toText_(body);
    var binary = fromBase64(replace(replace(substring(text, 2, text.length), /-/g, '+'), /_/g, '/'));
    // Without a mask this throws.
    var bytes = new Bytes(binary.length - 4);
    for (var i = 4; i < binary.length; i++) {
      bytes[i - 4] = charCodeAt(binary, i) ^ charCodeAt(binary, i & 3);
    }
    // What reads base64 takes more than may stand here.
    if (veil(binary) !== text) {
      throw protocolError();
    }
    return BINARY_ENCODING.unpack_(bytes);
  },
  toText_: BINARY_ENCODING.toText_
};

/** @param {string} binary a character for each byte */
function veil(binary) {
  return 'v=' + toBase64Url(binary);
}

/** @param {string} binary */
function toBase64Url(binary) {
  return replace(replace(replace(toBase64(binary), /\+/g, '-'), /\//g, '_'), /=/g, '');
}

/**
 * The UTF-8 of a text, in base64url. Throws where a surrogate stands alone, or the engine has no base64.
 * @param {string} text
 */
export function utf8Base64Url(text) {
  return toBase64Url(toBinary(escape(text)));
}
