/**
 * Owns the messages that the application has sent and the server has not acknowledged
 * (PROTOCOL §7.1).
 * Leaves to its caller when a message goes, by which leg, and how much is too much.
 */

import { max, min, splice } from './language.js';
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
    base_: 0,
    end_: 0,
    bytes_: 0,
    gone_: 0,
    batchBytes_: 0,

    push_: function (message) {
      messages[messages.length] = message;
      outbox.end_++;
      outbox.bytes_ += message.bytes_;
    },

    ack_: function (received, carried) {
      if (received > sent) {
        throw createFault(4963, 'bad-ack');
      }
      // An ack may come late, after a higher one.
      var acked = splice(messages, 0, min(received, carried) - outbox.base_);
      for (var i = 0; i < acked.length; i++) {
        outbox.bytes_ -= acked[i].bytes_;
        outbox.gone_ += acked[i].bytes_;
      }
      outbox.base_ += acked.length;
      return acked.length > 0;
    },

    take_: function (offset) {
      var message = messages[offset - outbox.base_];
      if (message && message.content_ !== null) {
        sent = max(sent, offset + 1);
        return message;
      }
    },

    batch_: function (maxBytes, maxCount) {
      var batch = [];
      outbox.batchBytes_ = 0;
      while (batch.length < maxCount) {
        /** @type {Message | undefined} */
        var message = messages[batch.length];
        // As if every message went in base64: the bound holds in both encodings.
        var bytes = message ? outbox.batchBytes_ + PACKET_BYTES + message.bytes_ * 4 / 3 : 0;
        if (!bytes || bytes > maxBytes && batch.length || !outbox.take_(outbox.base_ + batch.length)) {
          break;
        }
        outbox.batchBytes_ = bytes;
        batch[batch.length] = message;
      }
      return batch;
    }
  };
  return outbox;
}
