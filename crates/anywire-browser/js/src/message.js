/**
 * Owns what an application may send, as a message.
 * Leaves its way to the session.
 */

/**
 * A copy, since the application may reuse its buffers. The content is null while it is in a Blob.
 * @param {any} data
 * @returns {Message}
 */
function createMessage(data) {
  if (isBlob(data)) {
    return newMessage(BINARY, null, data.size);
  }
  if (data && data.byteLength >= 0) {
    var size = data.byteLength;
    return newMessage(
      BINARY, copyBytes(new Uint8Array(data.buffer || data, data.byteOffset || 0, size)), size);
  }
  data = wellFormed('' + data);
  return newMessage(TEXT, data, utf8Length(data));
}

/**
 * @param {string} letter
 * @param {any} content
 * @param {number} size in bytes
 * @returns {Message}
 */
function newMessage(letter, content, size) {
  return { letter: letter, content: content, size: size };
}
