/**
 * Owns the messages that the application has sent and the server has not acknowledged
 * (PROTOCOL §7.1).
 * Leaves to its caller when a message goes, by which leg, and how much is too much.
 */

import { createFault } from './wire/fault.js';

/** More than a packet adds to its content in either encoding. */
var PACKET_BYTES = 16;

/** @returns {Outbox} */
export function createOutbox() {
  var sent = 0;
  /** @type {Message[]} */
  var messages = [];

  /** @type {Outbox} */
  var outbox = {
    base: 0,
    end: 0,
    bytes: 0,
    gone: 0,

    push: function (message) {
      messages.push(message);
      outbox.end++;
      outbox.bytes += message.bytes;
    },

    ack: function (received, carried) {
      if (received > sent) {
        throw createFault(4963, 'bad-ack');
      }
      // An ack may come late, after a higher one.
      var acked = messages.splice(0, Math.min(received, carried) - outbox.base);
      for (var i = 0; i < acked.length; i++) {
        outbox.bytes -= acked[i].bytes;
        outbox.gone += acked[i].bytes;
      }
      outbox.base += acked.length;
      return acked.length > 0;
    },

    take: function (offset) {
      var message = messages[offset - outbox.base];
      if (message && message.content !== null) {
        sent = Math.max(sent, offset + 1);
        return message;
      }
    },

    batch: function (maxBytes, maxCount) {
      var batch = [];
      while (batch.length < maxCount) {
        /** @type {Message | undefined} */
        var message = messages[batch.length];
        // As if every message went in base64: the bound holds in both encodings.
        if (!message || (maxBytes -= PACKET_BYTES + message.bytes * 4 / 3) < 0 && batch.length ||
            !outbox.take(outbox.base + batch.length)) {
          break;
        }
        batch.push(message);
      }
      return batch;
    }
  };
  return outbox;
}
