/*! Anywire 0.1.0 */
(function (root) {

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

/**
 * Owns the packet: its letters, the contents that have a form, and its WebSocket frame
 * (PROTOCOL §3, §5.4).
 * Leaves runs of packets to payload.js, and what a packet does to session.js and the legs.
 */

var OPEN = 'o';
var ATTACH = 'x';
var OPENED = 'O';
var OFFSET = 'n';
var TEXT = 't';
var BINARY = 'b';
var ACK = 'a';
var PING = 'p';
var PONG = 'q';
var CLOSE = 'c';
var SUPERSEDED = 's';

/** Begins every text frame that is not simply a message. */
var ESCAPE = '\x10';

var MAX_NUMBER = 9007199254740991;
var MAX_REASON_BYTES = 123;

/**
 * @param {number} code
 * @param {string} name as PROTOCOL §8.3 has them
 * @returns {Fault}
 */
function createFault(code, name) {
  var fault = /** @type {Fault} */ (new Error(name));
  fault.code = code;
  return fault;
}

/**
 * Runs what a peer's packets cause. Whatever else it throws is no fault of the peer.
 * @param {() => void} work
 * @param {(code: number, name: string) => void} failed
 */
function withFaults(work, failed) {
  try {
    work();
  } catch (error) {
    var fault = /** @type {Fault} */ (error);
    if (!fault.code) {
      throw error;
    }
    failed(fault.code, fault.message);
  }
}

function protocolError() {
  return createFault(4960, 'protocol-error');
}

/**
 * A number as PROTOCOL §1.6 wants it.
 * @param {string} text
 */
function parseNumber(text) {
  var number = /^(0|[1-9]\d{0,15})$/.test(text) ? +text : NaN;
  if (!(number <= MAX_NUMBER)) {
    throw protocolError();
  }
  return number;
}

/**
 * @param {string} content of a close packet
 * @returns {Close}
 */
function parseClose(content) {
  var parts = /^([1-4]\d{3})(?: ([\s\S]*))?$/.exec(content);
  var reason = parts && parts[2] || '';
  if (!parts || utf8Length(reason) > MAX_REASON_BYTES) {
    throw protocolError();
  }
  return { code: +parts[1], reason: reason };
}

/** @param {Close} close */
function closeContent(close) {
  return close.code + (close.reason ? ' ' + close.reason : '');
}

/**
 * Whether a code says that the session lives (PROTOCOL §8.3).
 * @param {number} code
 */
function isRetry(code) {
  return code >= 4900 && code < 4930;
}

/**
 * @param {string} letter
 * @param {any} content
 * @returns {Packet}
 */
function newPacket(letter, content) {
  return { letter: letter, content: content };
}

/**
 * A packet from the wire, with a number or a close in place of a content that has such a form.
 * Contents that only the server reads are not looked into.
 * @param {string} letters that may stand here
 * @param {string} letter
 * @param {any} content
 * @returns {Packet}
 */
function checkPacket(letters, letter, content) {
  if (!letter || letters.indexOf(letter) < 0 || (letter === SUPERSEDED && content)) {
    throw protocolError();
  }
  if (letter === ACK || letter === OFFSET) {
    content = parseNumber(content);
  } else if (letter === CLOSE) {
    content = parseClose(content);
  }
  return newPacket(letter, content);
}

/**
 * @param {string} letter
 * @param {any} content
 * @returns {string | ArrayBuffer} what WebSocket's `send` takes
 */
function encodeFrame(letter, content) {
  if (letter === BINARY) {
    return content.buffer;
  }
  if (letter === TEXT) {
    return content.charAt(0) === ESCAPE ? ESCAPE + content : content;
  }
  return ESCAPE + letter + content;
}

/**
 * @param {string | ArrayBuffer} frame
 * @returns {Packet}
 */
function decodeFrame(frame) {
  if (typeof frame !== 'string') {
    return newPacket(BINARY, new Uint8Array(frame));
  }
  if (frame.charAt(0) !== ESCAPE) {
    return newPacket(TEXT, frame);
  }
  if (frame.charAt(1) === ESCAPE) {
    return newPacket(TEXT, frame.substr(1));
  }
  return checkPacket('oxOapqcs', frame.charAt(1), frame.substr(2));
}

/**
 * Owns the payload: packets one after the other in an HTTP body, as text or as bytes
 * (PROTOCOL §4).
 * Leaves the single packet to packet.js and the choice of the encoding to its caller.
 */

var LETTERS = 'oxOntbapqcs';

/**
 * @param {Packet[]} packets
 * @param {boolean} binary the encoding
 * @returns {string | Uint8Array}
 */
function encodePayload(packets, binary) {
  return binary ? encodeBytes(packets) : encodeText(packets);
}

/**
 * @param {string | ArrayBuffer} payload a string in the text encoding, a buffer in the binary one
 * @returns {Packet[]}
 */
function decodePayload(payload) {
  return typeof payload === 'string' ? decodeText(payload) : decodeBytes(new Uint8Array(payload));
}

/** @param {Packet[]} packets */
function encodeText(packets) {
  var text = '';
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    if (packets[i].letter === BINARY) {
      content = toBase64(content);
    }
    text += content.length + ':' + packets[i].letter + content;
  }
  return text;
}

/** @param {string} text */
function decodeText(text) {
  var packets = [];
  var at = 0;
  while (at < text.length) {
    var colon = text.indexOf(':', at);
    var start = colon + 2;
    var end = start + parseNumber(colon < 0 ? '' : text.substring(at, colon));
    var letter = text.charAt(colon + 1);
    var content = text.substring(start, end);
    // A length may end inside a surrogate pair; what it cuts is not text.
    if (end > text.length || wellFormed(content) !== content) {
      throw protocolError();
    }
    packets.push(checkPacket(
      LETTERS, letter, letter === BINARY ? fromBase64(content) : content));
    at = end;
  }
  return packets;
}

/** @param {Packet[]} packets */
function encodeBytes(packets) {
  var encoder = new TextEncoder();
  var contents = [];
  var length = 0;
  for (var i = 0; i < packets.length; i++) {
    var content = packets[i].content;
    contents[i] = packets[i].letter === BINARY ? content : encoder.encode(content);
    length += contents[i].length + 6;
  }
  var bytes = new Uint8Array(length);
  var at = 0;
  for (i = 0; i < packets.length; i++) {
    for (length = contents[i].length; length > 127; length = Math.floor(length / 128)) {
      bytes[at++] = 128 | (length & 127);
    }
    bytes[at++] = length;
    bytes[at++] = packets[i].letter.charCodeAt(0);
    bytes.set(contents[i], at);
    at += contents[i].length;
  }
  return bytes.subarray(0, at);
}

/** @param {Uint8Array} bytes */
function decodeBytes(bytes) {
  // Without these options a byte order mark would vanish, and broken UTF-8 would pass.
  var decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  var packets = [];
  var at = 0;
  while (at < bytes.length) {
    var length = 0;
    var scale = 1;
    var group;
    do {
      group = bytes[at++];
      length += (group & 127) * scale;
      scale *= 128;
    } while (group > 127 && scale < 34359738368);
    // The last group must end the number, exist, and not be a zero that says nothing.
    if (!(group < 128) || (!group && scale > 128) || at + 1 + length > bytes.length) {
      throw protocolError();
    }
    var letter = String.fromCharCode(bytes[at++]);
    /** @type {any} */
    var content = new Uint8Array(bytes.subarray(at, at + length));
    if (letter !== BINARY) {
      try {
        content = decoder.decode(content);
      } catch (error) {
        throw protocolError();
      }
    }
    packets.push(checkPacket(LETTERS, letter, content));
    at += length;
  }
  return packets;
}

/**
 * Decodes an answer as a whole, so that nothing of a broken one is taken (PROTOCOL §6.2).
 * @param {string | ArrayBuffer} payload
 * @param {boolean} isFirst whether it must open the session
 */
function decodeAnswer(payload, isFirst) {
  var packets = decodePayload(payload);
  var letters = '';
  for (var i = 0; i < packets.length; i++) {
    letters += packets[i].letter;
  }
  if (!/^O?a(n[tb]*)?c?$/.test(letters) || (isFirst && letters.charAt(0) !== OPENED)) {
    throw protocolError();
  }
  return packets;
}

/**
 * Owns one deadline at a time.
 * Leaves the time itself to the clock, which is a parameter everywhere.
 */

/** Browsers fire at once where a timer is longer than 24 days; this is half of that. */
var MAX_TIMEOUT_MS = 1e9;

/**
 * @param {Clock} clock
 * @param {() => void} fire
 * @returns {Timer}
 */
function createTimer(clock, fire) {
  /** @type {any} */
  var id = null;
  var deadline = 0;
  var timer = {
    /** @param {number} ms */
    set: function (ms) {
      timer.stop();
      deadline = clock.now() + ms;
      id = clock.setTimeout(function () {
        id = null;
        fire();
      }, Math.min(ms, MAX_TIMEOUT_MS));
    },
    /** @param {number} time */
    by: function (time) {
      if (id === null || time < deadline) {
        timer.set(Math.max(0, time - clock.now()));
      }
    },
    stop: function () {
      if (id !== null) {
        clock.clearTimeout(id);
        id = null;
      }
    },
    isRunning: function () {
      return id !== null;
    }
  };
  return timer;
}

/**
 * Owns the messages that the application has sent and the server has not acknowledged
 * (PROTOCOL §7.1).
 * Leaves to its caller when a message goes, by which leg, and how much is too much.
 */

/** More than a packet adds to its content in either encoding. */
var PACKET_BYTES = 16;

/** @returns {Outbox} */
function createOutbox() {
  var sent = 0;
  /** @type {Message[]} */
  var messages = [];

  /** @type {Outbox} */
  var outbox = {
    first: 0,
    end: 0,
    bytes: 0,
    gone: 0,

    push: function (message) {
      messages.push(message);
      outbox.end++;
      outbox.bytes += message.size;
    },

    ack: function (received) {
      if (received > sent) {
        throw createFault(4963, 'bad-ack');
      }
      // An ack may come late, after a higher one.
      var acked = messages.splice(0, received - outbox.first);
      for (var i = 0; i < acked.length; i++) {
        outbox.bytes -= acked[i].size;
        outbox.gone += acked[i].size;
      }
      outbox.first += acked.length;
      return acked.length > 0;
    },

    take: function (offset) {
      sent = Math.max(sent, offset + 1);
      return messages[offset - outbox.first];
    },

    batch: function (maxBytes, maxCount) {
      var batch = [];
      while (batch.length < messages.length && batch.length < maxCount) {
        var message = messages[batch.length];
        // As if every message went in base64: the bound holds in both encodings.
        maxBytes -= PACKET_BYTES + message.size * 4 / 3;
        if (maxBytes < 0 && batch.length) {
          break;
        }
        batch.push(outbox.take(outbox.first + batch.length));
      }
      return batch;
    }
  };
  return outbox;
}

/**
 * Owns the session: who it is, what was received, what is kept to be sent, and how it ends.
 * Leaves the connections to the legs, and which of them carries it to negotiator.js.
 */

var UNKNOWN_SESSION = 4930;

/** An outbox that grows beyond this is given up: nobody takes what the application sends. */
var MAX_OUTBOX_BYTES = 67108864;

/**
 * @param {Clock} clock
 * @param {string} key
 * @param {string[]} protocols
 * @param {SessionHandlers} handlers
 * @returns {Session}
 */
function createSession(clock, key, protocols, handlers) {
  var secret = '';
  var generation = 1;
  var outbox = createOutbox();
  var closeTimer = createTimer(clock, function () {
    session.expire();
  });

  /** @type {Session} */
  var session = {
    key: key,
    protocols: protocols,
    id: '',
    protocol: '',
    // *Opened* brings the others (PROTOCOL §7); this one is needed before.
    limits: /** @type {any} */ ({ heartbeatTimeoutMs: 8000 }),
    received: 0,
    outbox: outbox,
    closing: null,
    ended: false,
    hasDropped: false,

    nextGeneration: function () {
      return ++generation;
    },

    openContent: function (generation) {
      return JSON.stringify({
        version: 1,
        key: key,
        generation: generation,
        holdMs: 0,
        protocols: protocols
      });
    },

    attachContent: function (generation, holdMs) {
      return [session.id, secret, generation, session.received].join(' ') +
        (holdMs === undefined ? '' : ' ' + holdMs);
    },

    handleOpened: function (content) {
      var opened = parseOpened(content);
      if (session.id && session.id !== opened.session) {
        throw protocolError();
      }
      if (opened.first > session.received || opened.received < outbox.first) {
        throw createFault(4961, 'gap');
      }
      if (!session.id) {
        session.id = opened.session;
        secret = opened.secret;
        session.protocol = opened.protocol || '';
      }
      for (var name in opened.limits) {
        var limit = opened.limits[name];
        // A server that holds nothing says so with 0, which makes no sense elsewhere.
        if (limit > 0 || (limit === 0 && name === 'holdMs')) {
          session.limits[name] = limit;
        }
      }
      session.handleAck(opened.received);
      return opened;
    },

    handleMessage: function (offset, letter, content) {
      if (offset > session.received) {
        throw createFault(4961, 'gap');
      }
      if (offset === session.received) {
        // The browser may fail here. Then the message has not been received, and comes again.
        var data = letter === TEXT ? content : handlers.toData(content);
        session.received++;
        handlers.onmessage(data);
      }
    },

    handleAck: function (received) {
      if (outbox.ack(received)) {
        handlers.onbuffer();
        if (session.closing) {
          // What was sent before the close may need longer than the close itself.
          closeTimer.set(session.limits.closeTimeoutMs);
        }
      }
    },

    handleClose: function (close) {
      if (session.closing) {
        endWithOwnClose(true);
      } else {
        close.wasClean = close.code < 4900;
        close.tell = true;
        session.end(close);
      }
    },

    handleRefusal: function (code, message) {
      if (session.closing && code === UNKNOWN_SESSION) {
        // The server has closed already; only its answer was lost.
        endWithOwnClose(true);
      } else {
        session.end({ code: code, reason: message || '' });
      }
    },

    send: function (message) {
      if (message.size > session.limits.maxMessageBytes) {
        abortSoon(4964, 'too-large');
      } else if (outbox.bytes + message.size > MAX_OUTBOX_BYTES) {
        abortSoon(4932, 'too-slow');
      } else {
        outbox.push(message);
        handlers.onbuffer();
        handlers.ontransmit();
      }
    },

    close: function (code, reason) {
      session.closing = { code: code, reason: reason };
      closeTimer.set(session.limits.closeTimeoutMs);
      handlers.ontransmit();
    },

    expire: function () {
      if (session.closing) {
        endWithOwnClose(false);
      } else {
        session.end(session.id ? { code: 4931, reason: 'expired' } :
          { code: 1006, reason: 'no connection' });
      }
    },

    abort: function (code, reason) {
      session.end({ code: code, reason: reason, tell: true });
    },

    end: function (close) {
      if (!session.ended) {
        session.ended = true;
        closeTimer.stop();
        handlers.onend(close);
      }
    }
  };

  /**
   * The application hears of the end when its call has returned. Until then nothing may follow
   * the message that was dropped.
   * @param {number} code
   * @param {string} name
   */
  function abortSoon(code, name) {
    session.hasDropped = true;
    clock.setTimeout(function () {
      session.abort(code, name);
    }, 0);
  }

  /** @param {boolean} wasClean */
  function endWithOwnClose(wasClean) {
    var closing = /** @type {Close} */ (session.closing);
    session.end({ code: closing.code, reason: closing.reason, wasClean: wasClean });
  }

  return session;
}

/**
 * @param {string} content
 * @returns {any} the members of PROTOCOL §3.2
 */
function parseOpened(content) {
  var opened = parseJson(content);
  if (opened.version !== 1 || !opened.session || !opened.secret ||
      !(opened.received >= 0) || !(opened.first >= 0)) {
    throw protocolError();
  }
  return opened;
}

/**
 * @param {any} text
 * @returns {any} an empty object if it is not JSON
 */
function parseJson(text) {
  try {
    return JSON.parse(text) || {};
  } catch (error) {
    return {};
  }
}

/**
 * Owns the browser's WebSocket.
 * Leaves what goes over it to websocket-leg.js.
 */

/**
 * @param {any} WebSocket the constructor
 * @param {string} url
 * @param {Clock} clock
 * @returns {Transport}
 */
function createWebSocketTransport(WebSocket, url, clock) {
  /** @type {any} */
  var socket;

  function forget() {
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    }
  }

  /** @param {string} why */
  function closed(why) {
    forget();
    transport.onclose(why);
  }

  var transport = /** @type {Transport} */ ({
    open: function (protocols) {
      try {
        socket = new WebSocket(url, protocols);
      } catch (error) {
        clock.setTimeout(function () {
          closed('threw ' + error);
        }, 0);
        return;
      }
      socket.binaryType = 'arraybuffer';
      socket.onopen = transport.onopen;
      socket.onmessage = function (/** @type {MessageEvent} */ event) {
        transport.onpayload(event.data);
      };
      // Some browsers report a failure by either of these alone.
      socket.onerror = function () {
        closed('error');
      };
      socket.onclose = function (/** @type {CloseEvent} */ event) {
        closed('closed ' + event.code);
      };
    },

    send: function (frame) {
      socket.send(frame);
    },

    buffered: function () {
      return socket.bufferedAmount;
    },

    close: function (code) {
      forget();
      transport.onclose = ignore;
      if (socket) {
        // A page may use no other codes.
        socket.close(code && code >= 3000 ? code : 1000);
      }
    }
  });
  return transport;
}

function ignore() {}

/**
 * Owns one HTTP exchange over the browser's XMLHttpRequest: a body up, a body down.
 * Leaves what is in them, and how long to wait, to poll-leg.js.
 */

/**
 * @param {any} XMLHttpRequest the constructor
 * @param {string} url
 * @param {boolean} isBinary whether bodies are bytes; otherwise they are text
 * @param {boolean} withCredentials
 * @param {Clock} clock
 * @returns {Transport}
 */
function createPollTransport(XMLHttpRequest, url, isBinary, withCredentials, clock) {
  /** @type {any} */
  var request;

  function changed() {
    transport.onprogress();
    if (request.readyState < 4) {
      return;
    }
    request.onreadystatechange = ignore;
    var status = 0;
    var body;
    var retryAfterMs;
    try {
      body = isBinary ? request.response : request.responseText;
      retryAfterMs = request.getResponseHeader('Retry-After') * 1000;
      status = request.status;
    } catch (error) {
      // Old browsers throw where there is no answer.
    }
    if (status === 200) {
      transport.onpayload(body);
    } else {
      transport.onclose('http ' + status,
        isBinary ? new TextDecoder().decode(body || undefined) : body, retryAfterMs);
    }
  }

  var transport = /** @type {Transport} */ ({
    open: function () {
      request = new XMLHttpRequest();
    },

    send: function (body) {
      try {
        request.open('POST', url, true);
        request.setRequestHeader('Content-Type',
          isBinary ? 'application/octet-stream' : 'text/plain');
        request.withCredentials = withCredentials;
        if (isBinary) {
          request.responseType = 'arraybuffer';
        }
        request.onreadystatechange = changed;
        if (request.upload) {
          request.upload.onprogress = function () {
            transport.onprogress();
          };
        }
        request.send(body);
      } catch (error) {
        request.onreadystatechange = ignore;
        clock.setTimeout(function () {
          transport.onclose('threw ' + error);
        }, 0);
      }
    },

    close: function () {
      transport.onclose = ignore;
      request.onreadystatechange = ignore;
      request.abort();
    }
  });
  return transport;
}

/**
 * Owns how one WebSocket carries a session: frames, the attach, acks and the heartbeat
 * (PROTOCOL §5, §7.2, §7.3).
 * Leaves to negotiator.js when to try it, and what follows when it is lost.
 *
 *   handshake --(offer)--------------------------> carrying
 *   handshake --(no offer: ping)--> proof --(pong: attach)--> attach --(opened)--> carrying
 */

/** A WebSocket that shows nothing for so long before it carries the session is dropped. */
var SILENCE_MS = 5000;
var MAX_UNACKED = 128;
var MAX_UNACKED_BYTES = 131072;

/**
 * @param {Session} session
 * @param {Transport} transport
 * @param {Clock} clock
 * @returns {WebSocketLeg}
 */
function createWebSocketLeg(session, transport, clock) {
  var timer = createTimer(clock, tick);
  var isStopped = false;
  var isCloseSent = false;
  // The offsets of the next message up and down.
  var up = 0;
  // Bytes of all messages before that one.
  var upBytes = 0;
  var down = 0;
  // Messages that came and are not acknowledged yet, and since when the oldest waits.
  var unacked = 0;
  var unackedBytes = 0;
  var unackedSince = 0;
  // When something was heard last; since when a message waits for its ack, and since when a ping
  // waits for an answer, or 0.
  var heardAt = 0;
  var busySince = 0;
  var pingedAt = 0;
  // What the browser had not sent yet when the ping was added to it.
  var unsent = 0;

  var leg = /** @type {WebSocketLeg} */ ({
    name: 'websocket',
    phase: 'handshake',
    start: function () {
      // Only the first leg of a session opens with the upgrade. A later one proves the path first,
      // so that a WebSocket which opens and then carries nothing does not disturb the session.
      var isOffer = !session.id;
      transport.onopen = function () {
        if (!isOffer) {
          leg.phase = 'proof';
          sendPacket(PING, '');
        }
      };
      transport.onpayload = receive;
      transport.onclose = function (why) { lost(why); };
      timer.set(SILENCE_MS);
      transport.open(isOffer ?
        ['anywire.v1', 'anywire.open.' + session.key + '.' + session.nextGeneration()]
          .concat(session.protocols) :
        ['anywire.v1']);
    },

    transmit: function () {
      // The server's acks, and so its application, say how much may be under way (PROTOCOL §7.5).
      while (up < session.outbox.end &&
          up - session.outbox.first < session.limits.windowMessages &&
          upBytes - session.outbox.gone < session.limits.windowBytes) {
        var message = session.outbox.take(up++);
        upBytes += message.size;
        busySince = busySince || clock.now();
        sendPacket(message.letter, message.content);
      }
      if (session.closing && !isCloseSent && up === session.outbox.end) {
        isCloseSent = true;
        sendPacket(CLOSE, closeContent(session.closing));
      }
      schedule();
    },

    check: function () {
      if (isCarrying() && !pingedAt) {
        pingedAt = clock.now();
        unsent = transport.buffered();
        sendPacket(PING, '');
        schedule();
      }
    },

    stop: function (close) {
      isStopped = true;
      timer.stop();
      if (close && close.tell && isCarrying()) {
        sendPacket(CLOSE, closeContent(close));
      }
      transport.close(close && close.code);
    }
  });

  function isCarrying() {
    return leg.phase === 'carrying';
  }

  /**
   * @param {string} why
   * @param {number} [code]
   */
  function lost(why, code) {
    leg.stop();
    leg.onlost(why, code);
  }

  /** @param {string | ArrayBuffer} frame */
  function receive(frame) {
    heardAt = clock.now();
    pingedAt = 0;
    withFaults(function () {
      var packet = decodeFrame(frame);
      handlePacket(packet.letter, packet.content);
      if (!isStopped && isCarrying()) {
        schedule();
      }
    }, function (code, name) {
      if (isCarrying()) {
        session.abort(code, name);
      } else {
        lost(name);
      }
    });
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function handlePacket(letter, content) {
    if (letter === OPENED && leg.phase !== 'proof' && !isCarrying()) {
      handleOpened(content);
    } else if (letter === CLOSE) {
      handleClose(content);
    } else if (letter === PONG) {
      if (leg.phase === 'proof') {
        leg.phase = 'attach';
        timer.set(SILENCE_MS);
        sendPacket(ATTACH, session.attachContent(session.nextGeneration()));
      }
    } else if (letter === PING) {
      sendPacket(PONG, content);
      acknowledge();
    } else if (!isCarrying()) {
      throw protocolError();
    } else if (letter === TEXT || letter === BINARY) {
      handleMessage(letter, content);
    } else if (letter === ACK) {
      session.handleAck(content);
      busySince = session.outbox.first < up ? clock.now() : 0;
      leg.transmit();
    } else if (letter === SUPERSEDED) {
      lost('superseded', 4900);
    } else {
      throw protocolError();
    }
  }

  /** @param {string} content */
  function handleOpened(content) {
    var opened = session.handleOpened(content);
    up = opened.received;
    upBytes = session.outbox.gone;
    down = opened.first;
    leg.phase = 'carrying';
    leg.onattach();
    if (!isStopped) {
      leg.transmit();
    }
  }

  /** @param {Close} close */
  function handleClose(close) {
    if (isRetry(close.code)) {
      lost('close ' + close.code, close.code);
    } else if (isCarrying()) {
      session.handleClose(close);
    } else {
      session.handleRefusal(close.code, close.reason);
    }
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function handleMessage(letter, content) {
    unackedSince = unacked++ ? unackedSince : heardAt;
    // Characters for bytes is close enough for a threshold.
    unackedBytes += content.length;
    session.handleMessage(down++, letter, content);
    // Timers of a page in the background are late, so each message looks at the time too.
    if (!isStopped && (unacked >= MAX_UNACKED || unackedBytes >= MAX_UNACKED_BYTES ||
        clock.now() - unackedSince >= session.limits.ackDelayMs)) {
      acknowledge();
    }
  }

  function acknowledge() {
    if (unacked) {
      unacked = unackedBytes = 0;
      sendPacket(ACK, session.received);
    }
  }

  /** Arranges the next tick: for an ack or a ping that is due, or a ping that nobody answers. */
  function schedule() {
    var time = pingedAt ? pingedAt + session.limits.heartbeatTimeoutMs : pingDueAt();
    timer.by(unacked ? Math.min(time, unackedSince + session.limits.ackDelayMs) : time);
  }

  function pingDueAt() {
    // The server pings first in an idle session, so the client waits a quarter longer.
    var time = heardAt + session.limits.heartbeatMs * 1.25;
    return busySince ?
      Math.min(time, Math.max(heardAt, busySince) + 2 * session.limits.ackDelayMs) : time;
  }

  function tick() {
    var now = clock.now();
    if (!isCarrying()) {
      lost('silent');
    } else if (pingedAt && now - pingedAt >= session.limits.heartbeatTimeoutMs) {
      if (transport.buffered() < unsent) {
        // A line that takes bytes is slow, not dead: the ping is still behind them.
        pingedAt = 0;
        leg.check();
      } else {
        lost('stalled', 4901);
      }
    } else {
      if (now - unackedSince >= session.limits.ackDelayMs) {
        acknowledge();
      }
      if (!pingedAt && now >= pingDueAt()) {
        leg.check();
      }
      schedule();
    }
  }

  /**
   * @param {string} letter
   * @param {any} content
   */
  function sendPacket(letter, content) {
    transport.send(encodeFrame(letter, content));
  }

  return leg;
}

/**
 * Owns how long an HTTP exchange may take.
 * Leaves the request to poll.js, and what goes up and comes down to poll-leg.js.
 */

/**
 * @param {Transport} transport
 * @param {any} body
 * @param {number} patienceMs how long nothing may move
 * @param {Clock} clock
 * @param {(payload: any) => void} answered
 * @param {(why: string, text?: string, retryAfterMs?: number) => void} failed
 * @returns {() => void} aborts it, without a callback
 */
function startExchange(transport, body, patienceMs, clock, answered, failed) {
  var timer = createTimer(clock, function () {
    failed('no answer');
  });

  function wait() {
    timer.set(patienceMs);
  }

  function finish() {
    timer.stop();
    transport.onprogress = ignore;
  }

  transport.onprogress = wait;
  transport.onpayload = function (payload) {
    finish();
    answered(payload);
  };
  transport.onclose = function (why, text, retryAfterMs) {
    finish();
    failed(why, text, retryAfterMs);
  };
  wait();
  transport.open();
  transport.send(body);

  return function () {
    finish();
    transport.close();
  };
}

/**
 * Owns how HTTP exchanges carry a session: one that is held for what comes down, and beside it one
 * that sends (PROTOCOL §6).
 * Leaves to negotiator.js when to try it, and what follows when an exchange fails.
 *
 * The first exchange is not held: it opens or attaches, sends what waits, and its answer proves the
 * path. Only then is one held and may another send.
 */

/** Leaves room for what stands beside the messages: attach, offset and close. */
var MAX_BATCH = 1000;
var BESIDE_BYTES = 512;

/** The pause when the server left packets out (PROTOCOL §6.6): doubled while it takes nothing. */
var FULL_INBOX_MS = 250;
var MAX_FULL_INBOX_MS = 5000;

/** After a hold that ends sooner than this and brings nothing comes a pause (PROTOCOL §6.4). */
var SHORT_HOLD_MS = 500;
var HOLD_PAUSE_MS = 1000;

/** No path is asked for less. One that bore a hold is asked for a little more, so that few fail. */
var MIN_HOLD_MS = 1000;
var HOLD_GROWTH = 1.02;

/** How often longer than a ping an exchange may take that carries messages. */
var SEND_PATIENCE = 3;

/**
 * @param {Session} session
 * @param {() => Transport} newTransport makes the transport of one exchange
 * @param {boolean} binary the encoding of its payloads
 * @param {Clock} clock
 * @param {number} generation
 * @param {Pace} pace
 * @returns {PollLeg}
 */
function createPollLeg(session, newTransport, binary, clock, generation, pace) {
  var isStopped = false;
  var isSynced = false;
  var isSending = true;
  // What went up last, and how long the rest waits if the server leaves some of it out.
  var isCloseSent = false;
  var batchFirst = 0;
  var batchEnd = 0;
  var fullInboxMs = FULL_INBOX_MS;
  /** @type {{ [slot: string]: () => void }} */
  var aborts = {};
  var sendTimer = createTimer(clock, send);
  var holdTimer = createTimer(clock, hold);

  var leg = /** @type {PollLeg} */ ({
    name: 'poll',
    phase: session.id ? 'attach' : 'open',
    start: function () {
      exchange('hold', 0, synced, session.id ? [attach(0)].concat(upward()) :
        [newPacket(OPEN, session.openContent(generation))]);
    },

    transmit: function () {
      if (!isSending && session.closing) {
        // At once: the page may be about to leave.
        send();
      } else if (!isSending && !sendTimer.isRunning() &&
          session.outbox.first < session.outbox.end) {
        // After this turn, so that all that is sent in it shares one request.
        sendTimer.set(0);
      }
    },

    stop: function (close) {
      isStopped = true;
      sendTimer.stop();
      holdTimer.stop();
      for (var slot in aborts) {
        aborts[slot]();
      }
      if (close && close.tell && session.id) {
        var transport = newTransport();
        transport.onpayload = transport.onprogress = transport.onclose = ignore;
        transport.open();
        transport.send(encodePayload([attach(), newPacket(CLOSE, closeContent(close))], binary));
      }
    }
  });

  function synced() {
    sent();
    hold();
  }

  function hold() {
    var askedMs = Math.floor(Math.min(session.limits.holdMs, pace.holdMs));
    var startedAt = clock.now();
    var received = session.received;
    exchange('hold', askedMs, function () {
      leg.onheld();
      if (session.received === received) {
        if (!askedMs || clock.now() - startedAt < Math.min(SHORT_HOLD_MS, askedMs / 2)) {
          holdTimer.set(HOLD_PAUSE_MS);
          return;
        }
        pace.holdMs *= HOLD_GROWTH;
      }
      hold();
    }, [attach(askedMs)]);
  }

  function send() {
    sendTimer.stop();
    isSending = true;
    exchange('send', 0, sent, [attach()].concat(upward()));
  }

  function sent() {
    isSending = false;
    if (session.outbox.first > batchFirst) {
      fullInboxMs = FULL_INBOX_MS;
    }
    if (session.outbox.first < batchEnd || isCloseSent) {
      // The server had no room, also not for a close: it would have answered it.
      sendTimer.set(fullInboxMs);
      fullInboxMs = Math.min(MAX_FULL_INBOX_MS, 2 * fullInboxMs);
    } else {
      leg.transmit();
    }
  }

  /** The packets that go up now. */
  function upward() {
    batchFirst = session.outbox.first;
    /** @type {Packet[]} */
    var packets = session.outbox.batch(
      Math.min(session.limits.maxPayloadBytes - BESIDE_BYTES, pace.batchBytes), MAX_BATCH);
    batchEnd = batchFirst + packets.length;
    if (packets.length) {
      packets.unshift(newPacket(OFFSET, '' + batchFirst));
    }
    isCloseSent = false;
    if (session.closing && batchEnd === session.outbox.end) {
      isCloseSent = true;
      packets.push(newPacket(CLOSE, closeContent(session.closing)));
    }
    return packets;
  }

  /** @param {number} [holdMs] */
  function attach(holdMs) {
    return newPacket(ATTACH, session.attachContent(generation, holdMs));
  }

  /**
   * @param {string} slot
   * @param {number} holdMs how long the server may wait
   * @param {() => void} next
   * @param {Packet[]} packets
   */
  function exchange(slot, holdMs, next, packets) {
    var body = encodePayload(packets, binary);
    var hasMessages = packets.length > 1;
    // What carries messages may be long, and its line slow.
    var patienceMs = holdMs + session.limits.heartbeatTimeoutMs * (hasMessages ? SEND_PATIENCE : 1);

    aborts[slot] = startExchange(newTransport(), body, patienceMs, clock, function (payload) {
      if (hasMessages) {
        pace.batchBytes *= 2;
      }
      try {
        receive(payload);
      } finally {
        // An error of the browser's must not end the polling.
        if (!isStopped) {
          next();
        }
      }
    }, function (why, text, retryAfterMs) {
      // Of PROTOCOL §8.4, if the server wrote the answer and nobody between.
      var refusal = parseJson(text);
      if (refusal.code >= 4930 && refusal.code < 5000) {
        session.handleRefusal(refusal.code, refusal.message);
        return;
      }
      if (!refusal.code) {
        // The path did not bear this. It is asked for less, as long as it does not.
        if (hasMessages) {
          pace.batchBytes = body.length / 2;
        }
        if (holdMs) {
          pace.holdMs = Math.max(MIN_HOLD_MS, holdMs / 2);
        }
      }
      lost(why, refusal.code, retryAfterMs);
    });
  }

  /** @param {string | ArrayBuffer} payload */
  function receive(payload) {
    withFaults(function () {
      var packets = decodeAnswer(payload, !session.id);
      withFaults(function () {
        handleAnswer(packets);
      }, session.abort);
    }, function () {
      // Something between here and the server has answered.
      lost('no payload');
    });
  }

  /** @param {Packet[]} packets */
  function handleAnswer(packets) {
    var offset = 0;
    for (var i = 0; i < packets.length && !isStopped; i++) {
      var letter = packets[i].letter;
      var content = packets[i].content;
      if (letter === OPENED) {
        session.handleOpened(content);
      } else if (letter === ACK) {
        session.handleAck(content);
        attached();
      } else if (letter === OFFSET) {
        offset = content;
      } else if (letter === CLOSE) {
        session.handleClose(content);
      } else {
        session.handleMessage(offset++, letter, content);
      }
    }
  }

  function attached() {
    if (!isSynced) {
      isSynced = true;
      leg.phase = 'carrying';
      leg.onattach();
    }
  }

  /**
   * @param {string} why
   * @param {number} [code]
   * @param {number} [retryAfterMs]
   */
  function lost(why, code, retryAfterMs) {
    leg.stop();
    leg.onlost(why, code, retryAfterMs);
  }

  return leg;
}

/**
 * Owns which leg carries the session, which one is tried when, and the pauses between.
 * Leaves to the legs how they carry it, and to session.js what it is.
 *
 * The WebSocket starts at once, polling a little later, and whichever shows that the session is
 * open carries it. A WebSocket takes over from polling whenever it can; polling takes over when the
 * WebSocket is lost.
 */

/** How long a poll that was told "superseded" waits for the WebSocket to show why. */
var GRACE_MS = 1000;

/** A WebSocket that has carried the session for so long was worth it: pauses begin short again. */
var STEADY_MS = 10000;

var TRACE_LENGTH = 64;

/**
 * @param {Session} session
 * @param {LegFactories} newLeg what can be used here
 * @param {Settings} settings
 * @param {(transport: string) => void} ontransport what carries the session from now on
 * @returns {Negotiator}
 */
function createNegotiator(session, newLeg, settings, ontransport) {
  /** @type {WebSocketLeg | null} */
  var websocket = null;
  /** @type {PollLeg | null} */
  var poll = null;
  // The name of the leg that carries the session, if one does.
  var carrier = '';
  /** @type {{ [transport: string]: boolean }} */
  var blocked = {};
  var websocketFailures = 0;
  var pollFailures = 0;
  // What polls attach with. The first is below the WebSocket's, which is rather kept; 0 asks for a
  // new one, above all others.
  var pollGeneration = 1;
  // Before this time the server wants no attempt.
  var notBefore = 0;

  var websocketTimer = createTimer(settings, startWebSocket);
  var pollTimer = createTimer(settings, startPoll);
  var steadyTimer = createTimer(settings, function () {
    websocketFailures = 0;
  });
  var graceTimer = createTimer(settings, function () {
    drop(websocket, 'silent');
  });
  var deadline = createTimer(settings, session.expire);

  /** @type {Negotiator} */
  var negotiator = {
    trace: [],

    start: function () {
      deadline.set(newLeg.websocket || newLeg.poll ? settings.connectTimeoutMs : 0);
      startWebSocket();
      pollTimer.set(websocket ? settings.httpDelayMs : 0);
    },

    transmit: function () {
      var leg = legNamed(carrier);
      if (leg) {
        leg.transmit();
      }
    },

    retry: function () {
      if (websocket) {
        websocket.check();
      } else {
        startWebSocket();
      }
      if (!carrier) {
        startPoll();
      }
    },

    restart: function () {
      drop(poll, 'online');
      pollFailures = 0;
      negotiator.retry();
    },

    block: function (transport) {
      blocked[transport] = true;
      drop(legNamed(transport), 'blocked');
      detached(transport);
    },

    unblock: function (transport) {
      blocked[transport] = false;
      negotiator.retry();
    },

    stop: function (close) {
      websocketTimer.stop();
      pollTimer.stop();
      steadyTimer.stop();
      graceTimer.stop();
      deadline.stop();
      if (websocket) {
        websocket.stop(close);
      }
      if (poll) {
        poll.stop(close);
      }
    }
  };

  /** @param {string} name */
  function legNamed(name) {
    return name === 'poll' ? poll : name === 'websocket' ? websocket : null;
  }

  function startWebSocket() {
    if (!websocket && isUsable('websocket')) {
      websocketTimer.stop();
      websocket = /** @type {() => WebSocketLeg} */ (newLeg.websocket)();
      launch(websocket, websocketAttached, websocketLost);
    }
  }

  function startPoll() {
    if (!poll && isUsable('poll')) {
      pollTimer.stop();
      graceTimer.stop();
      pollGeneration = pollGeneration || session.nextGeneration();
      poll = /** @type {(generation: number) => PollLeg} */ (newLeg.poll)(pollGeneration);
      // That it attached is not enough: something may end every hold.
      poll.onheld = function () {
        pollFailures = 0;
      };
      launch(poll, ignore, pollLost);
    }
  }

  /** @param {string} transport */
  function isUsable(transport) {
    return newLeg[transport] && !blocked[transport] && !session.ended;
  }

  /**
   * @param {Leg} leg
   * @param {() => void} attached
   * @param {(code?: number, retryAfterMs?: number) => void} lost
   */
  function launch(leg, attached, lost) {
    var startedAt = settings.now();

    /** @param {string} result */
    function note(result) {
      negotiator.trace.push({
        leg: leg.name, phase: leg.phase, ms: Math.round(settings.now() - startedAt), result: result
      });
      negotiator.trace.splice(0, negotiator.trace.length - TRACE_LENGTH);
    }

    leg.onattach = function () {
      note('ok');
      deadline.stop();
      attached();
      carrier = leg.name;
      ontransport(carrier);
    };
    leg.onlost = function (why, code, retryAfterMs) {
      note(why);
      lost(code, retryAfterMs);
    };
    leg.start();
  }

  /**
   * @param {Leg | null} leg
   * @param {string} why
   */
  function drop(leg, why) {
    if (leg) {
      leg.stop();
      leg.onlost(why);
    }
  }

  function websocketAttached() {
    steadyTimer.set(STEADY_MS);
    pollTimer.stop();
    graceTimer.stop();
    if (poll) {
      poll.stop();
      poll = null;
    }
    pollGeneration = pollFailures = 0;
  }

  function websocketLost() {
    websocket = null;
    steadyTimer.stop();
    websocketTimer.set(pause(++websocketFailures));
    detached('websocket');
    // After a failure a poll waits for its own time.
    if (!pollFailures) {
      startPoll();
    }
  }

  /**
   * @param {number} [code]
   * @param {number} [retryAfterMs]
   */
  function pollLost(code, retryAfterMs) {
    poll = null;
    notBefore = settings.now() + (retryAfterMs || 0);
    if (code === 4900) {
      pollGeneration = 0;
      if (websocket) {
        // It has probably attached, and its answer is on the way.
        pollFailures = 0;
        graceTimer.set(GRACE_MS);
        return;
      }
    }
    pollTimer.set(pause(++pollFailures));
    detached('poll');
  }

  /** @param {string} transport that carries nothing any more */
  function detached(transport) {
    if (carrier === transport) {
      carrier = '';
      // From now on: when the server's window began, only the server knows.
      deadline.set(session.limits.resumeWindowMs);
      ontransport('reconnecting');
    }
  }

  /**
   * Full jitter above a floor: clients that were cut off together do not come back together.
   * @param {number} failures
   */
  function pause(failures) {
    var backoff = settings.backoff;
    var ceiling = Math.min(backoff.maxMs, backoff.minMs * Math.pow(2, failures));
    var jittered = backoff.minMs + settings.random() * (ceiling - backoff.minMs);
    return Math.max(jittered, notBefore - settings.now());
  }

  return negotiator;
}

/**
 * Owns where the endpoints of a mount path are.
 * Leaves the requests to them to the transports.
 */

/**
 * @param {string} url of the mount, or of its WebSocket endpoint; relative to the page
 * @returns {Endpoints}
 */
function resolveEndpoints(url) {
  var parts = /^(?:http|ws)(s?):\/\/([^\/?#]+)([^?#]*)(\?[^#]*)?(#|$)/i.exec(absolute(url));
  if (!parts) {
    throw createError('SyntaxError', 'URL ' + url);
  }
  var host = parts[1].toLowerCase() + '://' + parts[2];
  var path = parts[3];
  var query = parts[4] || '';
  var mount = path.replace(/\/(websocket\/?)?$/, '');
  return {
    url: 'ws' + host + path + query,
    origin: 'ws' + host,
    websocket: 'ws' + host + mount + '/websocket' + query,
    poll: 'http' + host + mount + '/poll' + query
  };
}

/** @param {string} url */
function absolute(url) {
  if (!root.document) {
    return new URL(url, root.location && root.location.href).href;
  }
  // The way that every browser has.
  var anchor = document.createElement('a');
  anchor.href = url;
  return anchor.href;
}

/**
 * An error that looks like the one WebSocket throws.
 * @param {string} name
 * @param {string} message
 */
function createError(name, message) {
  var error = new Error(message);
  error.name = name;
  return error;
}

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
        readBlob(data, function (bytes) {
          message.content = bytes;
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
  if (/ (Blob|File)]$/.test(Object.prototype.toString.call(data))) {
    return { letter: BINARY, content: null, size: data.size };
  }
  var isBytes = data && data.byteLength >= 0;
  var content = isBytes ?
    new Uint8Array(new Uint8Array(data.buffer || data, data.byteOffset || 0, data.byteLength)) :
    wellFormed('' + data);
  return {
    letter: isBytes ? BINARY : TEXT,
    content: content,
    size: isBytes ? data.byteLength : utf8Length(/** @type {string} */ (content))
  };
}

/**
 * @param {Blob} blob
 * @param {(bytes: Uint8Array) => void} done
 * @param {() => void} failed
 */
function readBlob(blob, done, failed) {
  var reader = new FileReader();
  reader.onload = function () {
    done(new Uint8Array(/** @type {ArrayBuffer} */ (reader.result)));
  };
  reader.onerror = failed;
  reader.readAsArrayBuffer(blob);
}

/**
 * Owns what joins a public object, its session and its negotiator, and what they take from the
 * browser: constructors, timers, randomness, the page's own events.
 * Leaves the public surface to anywire.js.
 */

/**
 * @param {AnywireObject} socket
 * @param {Endpoints} endpoints
 * @param {string[]} protocols
 * @param {any} options
 * @returns {Client}
 */
function createClient(socket, endpoints, protocols, options) {
  var settings = createSettings(options);
  // What was sent too late never leaves, but counts, as with a WebSocket.
  var ignoredBytes = 0;

  var session = createSession(settings, createKey(settings), protocols, {
    toData: function (bytes) {
      return socket.binaryType === 'blob' ? new Blob([bytes.buffer]) : bytes.buffer || bytes;
    },
    onmessage: function (data) {
      if (socket.readyState === IS_OPEN) {
        fire('message', { data: data, origin: endpoints.origin, lastEventId: '' });
      }
    },
    onbuffer: countBuffered,
    ontransmit: function () {
      negotiator.transmit();
    },
    onend: function (close) {
      negotiator.stop(close);
      listenToPage(false);
      socket.readyState = CLOSED;
      setTransport('');
      if (!close.wasClean) {
        fire('error', {});
      }
      fire('close', { code: close.code, reason: close.reason, wasClean: !!close.wasClean });
    }
  });

  var sender = createSender(session, countBuffered);

  var negotiator =
    createNegotiator(session, createLegs(session, endpoints, settings), settings, carriedBy);

  /** @param {string} transport */
  function carriedBy(transport) {
    var isOpening = socket.readyState === CONNECTING;
    if (isOpening) {
      socket.readyState = IS_OPEN;
      socket.protocol = session.protocol;
    }
    setTransport(transport);
    if (isOpening && socket.readyState === IS_OPEN) {
      fire('open', {});
    }
  }

  function countBuffered() {
    socket.bufferedAmount = session.outbox.bytes + sender.bytes + ignoredBytes;
  }

  /** @param {string} transport */
  function setTransport(transport) {
    var previous = socket.transport;
    if (transport !== previous) {
      socket.transport = transport;
      fire('transport', { transport: transport, previous: previous });
    }
  }

  /**
   * @param {string} type
   * @param {any} event
   */
  function fire(type, event) {
    event.type = type;
    socket.dispatchEvent(event);
  }

  /** @param {boolean} isListening */
  function listenToPage(isListening) {
    var method = isListening ? 'addEventListener' : 'removeEventListener';
    if (root[method]) {
      root[method]('online', returned);
      root[method]('pageshow', returned);
    }
  }

  /** @param {PageTransitionEvent} event that tells of a page shown again, or of no page */
  function returned(event) {
    // A page that is shown for the first time has lost nothing.
    if (event.persisted !== false) {
      negotiator.restart();
    }
  }

  listenToPage(true);

  return {
    negotiator: negotiator,

    send: function (data) {
      if (socket.readyState === IS_OPEN) {
        sender.send(data);
      } else {
        ignoredBytes += createMessage(data).size;
        countBuffered();
      }
    },

    close: function (code, reason) {
      var isConnecting = socket.readyState === CONNECTING;
      socket.readyState = CLOSING;
      if (!isConnecting) {
        sender.close(code, reason);
        return;
      }
      var close = { code: 1006, reason: 'still connecting' };
      negotiator.stop(close);
      settings.setTimeout(function () {
        session.end(close);
      }, 0);
    }
  };
}

/**
 * The legs that this browser and the settings allow.
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {Settings} settings
 * @returns {LegFactories}
 */
function createLegs(session, endpoints, settings) {
  var WebSocket = settings.WebSocket;
  var XMLHttpRequest = settings.XMLHttpRequest;
  var allowed = '' + settings.transports;
  /** @type {LegFactories} */
  var legs = {};

  // Implementations of drafts have no CLOSING. They cannot carry bytes and are left alone.
  if (/websocket/.test(allowed) && WebSocket && WebSocket.CLOSING) {
    legs.websocket = function () {
      return createWebSocketLeg(
        session, createWebSocketTransport(WebSocket, endpoints.websocket, settings), settings);
    };
  }
  if (/poll/.test(allowed) && XMLHttpRequest) {
    /** @type {Pace} */
    var pace = { holdMs: Infinity, batchBytes: Infinity };
    var isBinary = settings.encoding === 'binary' || settings.encoding === 'auto' &&
      root.TextEncoder && root.TextDecoder && 'responseType' in new XMLHttpRequest();
    legs.poll = function (generation) {
      return createPollLeg(session, function () {
        return createPollTransport(
          XMLHttpRequest, endpoints.poll, isBinary, settings.withCredentials, settings);
      }, isBinary, settings, generation, pace);
    };
  }
  return legs;
}

/**
 * @param {any} options
 * @returns {Settings}
 */
function createSettings(options) {
  /** @type {any} */
  var settings = {
    transports: ['websocket', 'poll'],
    httpDelayMs: 300,
    connectTimeoutMs: 20000,
    backoff: { minMs: 500, maxMs: 30000 },
    encoding: 'auto',
    withCredentials: true,
    WebSocket: root.WebSocket,
    XMLHttpRequest: root.XMLHttpRequest,
    random: Math.random,
    now: function () {
      // The date may be set back; this may not.
      return root.performance && performance.now ? performance.now() : new Date().getTime();
    },
    // Called as methods of another object, the browser's own would refuse.
    setTimeout: function (/** @type {() => void} */ callback, /** @type {number} */ ms) {
      return setTimeout(callback, ms);
    },
    clearTimeout: function (/** @type {any} */ id) {
      clearTimeout(id);
    }
  };
  for (var name in options) {
    if (options[name] !== undefined) {
      settings[name] = options[name];
    }
  }
  return settings;
}

/** @param {Settings} settings */
function createKey(settings) {
  var bytes = root.crypto && crypto.getRandomValues &&
    crypto.getRandomValues(new Uint8Array(16));
  var key = '';
  for (var i = 0; i < 16; i++) {
    var octet = bytes ? bytes[i] : Math.floor(settings.random() * 256);
    key += (octet + 256).toString(16).substr(1);
  }
  return key;
}

/**
 * Owns the public object: a WebSocket to whoever holds it.
 * Leaves everything behind it to the session and the negotiator, which it joins.
 *
 * What differs from a WebSocket is said here, and with reasons in the README:
 * - `transport` and the event of that name tell what carries the session: '' before it is open and
 *   after it has closed, 'websocket', 'poll', or 'reconnecting' while nothing does.
 * - A lost connection is no close. The session goes on over another one.
 * - `bufferedAmount` counts what the server has not acknowledged.
 * - `close()` without a code closes with 1000. The codes 4900 to 4999 are the protocol's own.
 * - Events are plain objects with the members of the real ones.
 */

var CONNECTING = 0;
var IS_OPEN = 1;
var CLOSING = 2;
var CLOSED = 3;

/**
 * @constructor
 * @this {AnywireObject}
 * @param {string} url
 * @param {string | string[]} [protocols]
 * @param {any} [options] see index.d.ts
 */
function Anywire(url, protocols, options) {
  var endpoints = resolveEndpoints('' + url);
  this.url = endpoints.url;
  this.readyState = CONNECTING;
  this.protocol = this.extensions = this.transport = '';
  this.bufferedAmount = 0;
  this.binaryType = defaultBinaryType();
  this.onopen = this.onmessage = this.onerror = this.onclose = this.ontransport = null;
  this._listeners = {};
  this._client = createClient(this, endpoints, checkProtocols(protocols), options);
  this.trace = this._client.negotiator.trace;
  this._client.negotiator.start();
}

Anywire.CONNECTING = 0;
Anywire.OPEN = 1;
Anywire.CLOSING = 2;
Anywire.CLOSED = 3;

/** @type {ThisType<AnywireObject>} */
Anywire.prototype = {
  constructor: Anywire,
  CONNECTING: 0,
  OPEN: 1,
  CLOSING: 2,
  CLOSED: 3,

  /**
   * @param {any} data
   */
  send: function (data) {
    if (this.readyState === CONNECTING) {
      throw createError('InvalidStateError', 'still connecting');
    }
    this._client.send(data);
  },

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close: function (code, reason) {
    var number = code === undefined ? 1000 : Math.round(code);
    if (number !== 1000 && !(number >= 3000 && number < 4900)) {
      throw createError('InvalidAccessError', 'code ' + code);
    }
    reason = wellFormed(reason === undefined ? '' : '' + reason);
    if (utf8Length(reason) > MAX_REASON_BYTES) {
      throw createError('SyntaxError', 'long reason');
    }
    if (this.readyState < CLOSING) {
      this._client.close(number, reason);
    }
  },

  /**
   * For demonstrations and tests: drop a transport now, and use it no more until it is unblocked.
   * With all of them blocked the session waits, as long as its resume window lasts.
   * @param {string} transport 'websocket' or 'poll'
   */
  block: function (transport) {
    if (this.readyState < CLOSED) {
      this._client.negotiator.block(transport);
    }
  },

  /**
   * @param {string} transport
   */
  unblock: function (transport) {
    if (this.readyState < CLOSED) {
      this._client.negotiator.unblock(transport);
    }
  },

  /**
   * @param {string} type
   * @param {Listener | null} listener
   * @param {any} [options]
   */
  addEventListener: function (type, listener, options) {
    var listeners = this._listeners['on' + type] = this._listeners['on' + type] || [];
    for (var i = 0; i < listeners.length; i++) {
      if (listeners[i].listener === listener) {
        return;
      }
    }
    listeners.push({ listener: listener, once: options && options.once });
  },

  /**
   * @param {string} type
   * @param {Listener | null} listener
   */
  removeEventListener: function (type, listener) {
    var listeners = this._listeners['on' + type] || [];
    for (var i = listeners.length; i--;) {
      if (listeners[i].listener === listener) {
        // Where it is about to be called, it must not be.
        listeners.splice(i, 1)[0].listener = null;
      }
    }
  },

  /**
   * @param {any} event
   */
  dispatchEvent: function (event) {
    /** @type {AnywireObject['_listeners']['']} */
    var listeners = [{ listener: this['on' + event.type] }]
      .concat(this._listeners['on' + event.type] || []);
    event.target = event.currentTarget = this;
    for (var i = 0; i < listeners.length; i++) {
      var listener = listeners[i].listener;
      if (listeners[i].once) {
        this.removeEventListener(event.type, listener);
      }
      callListener(this, listener, event);
    }
    return true;
  }
};

/**
 * A listener that throws must not stop the session, nor vanish: its error is thrown a turn later.
 * @param {AnywireObject} target
 * @param {any} listener
 * @param {any} event
 */
function callListener(target, listener, event) {
  try {
    if (typeof listener === 'function') {
      listener.call(target, event);
    } else if (listener && listener.handleEvent) {
      listener.handleEvent(event);
    }
  } catch (error) {
    setTimeout(function () {
      throw error;
    }, 0);
  }
}

/**
 * @param {string | string[]} [protocols]
 * @returns {string[]}
 */
function checkProtocols(protocols) {
  /** @type {string[]} */
  var list = protocols === undefined ? [] : [].concat(/** @type {any} */ (protocols));
  var seen = ' ';
  for (var i = 0; i < list.length; i++) {
    list[i] += '';
    if (!/^(?!anywire\.)[!#$%&'*+\-.\^_`|~0-9A-Za-z]+$/.test(list[i]) ||
        seen.indexOf(' ' + list[i] + ' ') >= 0) {
      throw createError('SyntaxError', 'protocol ' + list[i]);
    }
    seen += list[i] + ' ';
  }
  return list;
}

/** Some browsers have a Blob that cannot be made. */
function defaultBinaryType() {
  try {
    return new Blob([]) && 'blob';
  } catch (error) {
    return 'arraybuffer';
  }
}

if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else {
  root.Anywire = Anywire;
}
}(typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this));
