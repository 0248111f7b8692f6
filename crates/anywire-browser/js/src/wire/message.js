/**
 * Owns what an application may send, as a message.
 * Leaves its way to the session.
 */

import { copyBytes, isBlob } from '#platform/engine.js';
import { utf8Length, wellFormed } from '#platform/text.js';
import { Bytes } from '../language.js';
import { BINARY, TEXT } from './packet.js';

/**
 * A copy, since the application may reuse its buffers. The content is null while it is in a Blob.
 * @param {any} data whatever an application gives
 * @returns {Message}
 */
export function createMessage(data) {
  var content = null;
  var bytes = 0;
  if (isBlob(data)) {
    bytes = data.size;
  } else if (data && data.byteLength >= 0) {
    bytes = data.byteLength;
    content = copyBytes(new Bytes(data.buffer || data, data.byteOffset || 0, bytes));
  } else {
    content = wellFormed('' + data);
    bytes = utf8Length(content);
  }
  var isText = typeof content === 'string';
  return {
    letter_: isText ? TEXT : BINARY, content_: content, bytes_: bytes,
    // What the application gets back.
    data_: isText ? content : content ? content.buffer : data
  };
}
