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
var REPORT = 'r';
var PADDING = '-';

/** Begins every text frame that is not simply a message. */
var ESCAPE = '\x10';

var MAX_NUMBER = 9007199254740991;
var MAX_REASON_BYTES = 123;

/** "A newer connection carries the session." */
var SUPERSEDED_CODE = 4900;

/**
 * @param {number} code
 * @param {string} name as PROTOCOL §8.3 has them
 * @returns {Fault}
 */
function createFault(code, name) {
  return { code: code, message: name };
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
  // The codes are those that a WebSocket's close may carry (PROTOCOL §3.5).
  var parts = /^(10(?:0[0-37-9]|1[0-4])|[34]\d{3})(?: ([\s\S]*))?$/.exec(content);
  var reason = parts && parts[2] || '';
  if (!parts || utf8Length(reason) > MAX_REASON_BYTES) {
    throw protocolError();
  }
  return { code: +parts[1], reason: reason };
}

/**
 * @param {number} code
 * @param {string} reason
 */
function closeContent(code, reason) {
  return code + (reason ? ' ' + reason : '');
}

/**
 * Whether a code says that the session lives (PROTOCOL §8.3).
 * @param {number} code
 */
function isRetry(code) {
  return code >= SUPERSEDED_CODE && code < 4930;
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
  return checkPacket('oxOapqcsr-', frame.charAt(1), frame.substr(2));
}
