/**
 * Owns base64, for binary messages in the text encoding.
 * Leaves what the bytes mean to payload-text.js. Only in the full build.
 */

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
