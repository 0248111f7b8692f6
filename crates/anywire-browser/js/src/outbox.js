/**
 * Owns the messages that the application has sent and the server has not acknowledged
 * (PROTOCOL §7.1), and what is cut from them (PROTOCOL §4.9).
 * Leaves to its caller when a message goes, by which leg, and how much is too much.
 */

import { copyBytes } from '#platform/engine.js';
import { max, min, splice, substring } from './language.js';
import { createFault } from './wire/fault.js';
import { BINARY_PART, newPacket, TEXT, TEXT_PART } from './wire/packet.js';
import { bytesLeft, textEnd } from './wire/piece.js';

/** @returns {Outbox} */
export function createOutbox() {
  // Messages that were sent whole, and bytes that were sent of the next.
  var sent = 0;
  var sentBytes = 0;
  /** @type {Message[]} */
  var messages = [];

  /** @type {Outbox} */
  var outbox = {
    messages_: messages,
    base_: 0,
    acked_: 0,
    end_: 0,
    bytes_: 0,
    gone_: 0,
    partBytes_: 0,

    push_: function (message) {
      messages[messages.length] = message;
      outbox.end_++;
      outbox.bytes_ += message.bytes_;
    },

    ack_: function (place, carried) {
      var received = place[0];
      if (received > sent || received >= outbox.base_ &&
          place[1] > (received < sent ? messages[received - outbox.base_].bytes_ : sentBytes)) {
        throw createFault(4963, 'bad-ack');
      }
      // An ack may come late, after a higher one.
      var acked = splice(messages, 0, min(received, carried) - outbox.base_);
      for (var i = 0; i < acked.length; i++) {
        outbox.bytes_ -= acked[i].bytes_;
        outbox.gone_ += acked[i].bytes_;
      }
      outbox.base_ += acked.length;
      var before = acked.length ? -1 : outbox.acked_;
      if (received >= outbox.base_) {
        outbox.acked_ = received > outbox.base_ ? 0 : place[1];
      }
      return outbox.acked_ > before;
    },

    isReady_: function () {
      return messages.length > 0 && messages[0].content_ !== null;
    },

    next_: function (place, maxBytes) {
      var from = place[1];
      var message = messages[place[0] - outbox.base_];
      var most = min(max(0, maxBytes), outbox.partBytes_ || Infinity);
      var bytes = message ? message.bytes_ - from : 0;
      var isPart = bytes > most;
      if (!message || message.content_ === null || isPart && !outbox.partBytes_) {
        return;
      }
      var isText = message.letter_ === TEXT;
      var content = message.content_;
      if (isText) {
        var text = /** @type {string} */ (content);
        // It goes on where it was cut, or begins again.
        var at = message.cutBytes_ === from ? /** @type {number} */ (message.cutAt_) : textEnd(text, 0, from);
        var end = isPart ? textEnd(text, at, most) : text.length;
        content = substring(text, at, end);
        bytes = isPart ? most - bytesLeft : bytes;
        message.cutAt_ = end;
        message.cutBytes_ = from + bytes;
      } else if (isPart || from) {
        bytes = isPart ? most - most % 3 : bytes;
        content = copyBytes(/** @type {Uint8Array} */ (content).subarray(from, from + bytes));
      }
      if (isPart && !bytes) {
        return;
      }
      place[2] += bytes;
      if (isPart) {
        place[1] += bytes;
      } else {
        place[0]++;
        place[1] = 0;
      }
      if (place[0] >= sent) {
        sentBytes = max(place[0] > sent ? 0 : sentBytes, place[1]);
        sent = place[0];
      }
      return newPacket(isPart ? isText ? TEXT_PART : BINARY_PART : message.letter_, content);
    }
  };
  return outbox;
}
