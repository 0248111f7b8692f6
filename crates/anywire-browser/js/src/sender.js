/**
 * Owns the way from what an application may send to messages, in order, also when a Blob must be
 * read first.
 * Leaves the messages to the session.
 */

/**
 * @param {Session} session
 * @param {() => void} onchange the bytes that wait here are more or fewer
 */
function createSender(session, onchange) {
  // What waits for the Blob at its head.
  /** @type {Message[]} */
  var queue = [];

  var sender = {
    /** Bytes that the session does not have yet. */
    bytes: 0,

    /** @param {any} data */
    send: function (data) {
      var message = createMessage(data);
      push(message);
      if (message.content === null) {
        readBlob(data, function (buffer) {
          message.content = new Uint8Array(buffer);
          drain();
        }, function () {
          session.abort(1011, 'Blob');
        });
      }
    },

    /**
     * @param {number} code
     * @param {string} reason
     */
    close: function (code, reason) {
      push({ letter: CLOSE, content: { code: code, reason: reason }, size: 0 });
    }
  };

  /** @param {Message} message */
  function push(message) {
    queue.push(message);
    sender.bytes += message.size;
    drain();
  }

  function drain() {
    while (queue.length && queue[0].content !== null && !session.ended &&
        !session.hasDropped) {
      var message = /** @type {Message} */ (queue.shift());
      sender.bytes -= message.size;
      if (message.letter === CLOSE) {
        session.close(message.content.code, message.content.reason);
      } else {
        session.send(message);
      }
    }
    onchange();
  }

  return sender;
}

/**
 * A copy, since the application may reuse its buffers. The content is null while it is in a Blob.
 * @param {any} data
 * @returns {Message}
 */
function createMessage(data) {
  if (/ (Blob|File)\b/.test(Object.prototype.toString.call(data))) {
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
