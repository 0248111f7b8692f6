/**
 * Owns how texts and bytes are counted and turned into each other: UTF-8 lengths, base64.
 * Leaves what they mean to packet.js and payload.js.
 */

/**
 * How many bytes a well-formed text takes in UTF-8.
 * @param {string} text
 */
function utf8Length(text) {
  var length = text.length;
  for (var i = 0; i < text.length; i++) {
    var unit = text.charCodeAt(i);
    // A surrogate stands for half of a character of four bytes.
    length += unit < 0x80 ? 0 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return length;
}

/**
 * The text with U+FFFD for each surrogate that stands alone, as WebSocket sends it.
 * @param {string} text
 */
function wellFormed(text) {
  return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, function (match) {
    return match.length > 1 ? match : '\uFFFD';
  });
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  var text = '';
  for (var i = 0; i < bytes.length; i++) {
    text += String.fromCharCode(bytes[i]);
  }
  return btoa(text);
}

/**
 * The bytes, or the text as it is where the browser knows no bytes.
 * @param {string} text
 */
function fromBase64(text) {
  // The browser takes more than base64 with padding.
  if (text.length % 4 || !/^[A-Za-z0-9+\/]*={0,2}$/.test(text)) {
    throw protocolError();
  }
  if (!root.Uint8Array) {
    return text;
  }
  text = atob(text);
  var bytes = new Uint8Array(text.length);
  for (var i = 0; i < text.length; i++) {
    bytes[i] = text.charCodeAt(i);
  }
  return bytes;
}
