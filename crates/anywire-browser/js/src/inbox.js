/**
 * Owns the message from the server that has not come whole (PROTOCOL §4.9 to §4.11).
 * Leaves whole messages, and their count, to the session.
 */

import { bytesBehind, bytesLength, joinBytes } from '#platform/bytes.js';
import { utf8Length } from '#platform/text.js';
import { join, max, substring } from './language.js';
import { createFault, protocolError } from './wire/fault.js';
import { isBinary, isPart } from './wire/packet.js';
import { textEnd } from './wire/piece.js';

/** @returns {Inbox} */
export function createInbox() {
  /** @type {any[]} */
  var parts = [];
  // A letter of it; none while there is no such message.
  var kind = '';

  /** @type {Inbox} */
  var inbox = {
    bytes_: 0,

    take_: function (place, letter, content, maxBytes) {
      var goesOn = isPart(letter);
      if (!kind && !goesOn) {
        return content;
      }
      var isBytes = isBinary(letter);
      var sizeOf = isBytes ? bytesLength : utf8Length;
      /** @type {any} */
      var rest = content;
      var bytes = sizeOf(rest);
      // What has come before, perhaps cut in another way.
      var skip = inbox.bytes_ - place[1];
      place[1] += bytes;
      if (skip) {
        rest = isBytes ? bytesBehind(rest, skip) : substring(rest, textEnd(rest, 0, skip), rest.length);
      }
      var length = skip ? sizeOf(rest) : bytes;
      if (kind && isBytes !== isBinary(kind) || length !== max(0, bytes - skip) || !goesOn && bytes < skip) {
        throw protocolError();
      }
      kind = letter;
      parts[parts.length] = rest;
      length = inbox.bytes_ += length;
      if (length > maxBytes) {
        throw createFault(4964, 'too-large');
      }
      if (!goesOn) {
        rest = isBytes ? joinBytes(parts, length) : join(parts, '');
        parts = [];
        kind = '';
        inbox.bytes_ = 0;
        return rest;
      }
    }
  };
  return inbox;
}
