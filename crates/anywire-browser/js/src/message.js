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
    return { letter: BINARY, content: null, size: data.size };
  }
  var isBytes = data && data.byteLength >= 0;
  var content = isBytes ?
    copyBytes(new Uint8Array(data.buffer || data, data.byteOffset || 0, data.byteLength)) :
    wellFormed('' + data);
  return {
    letter: isBytes ? BINARY : TEXT,
    content: content,
    size: isBytes ? data.byteLength : utf8Length(/** @type {string} */ (content))
  };
}
