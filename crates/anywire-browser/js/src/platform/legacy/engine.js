/**
 * Owns what is asked of the engine beside its transports and its timers, with stand-ins for what old
 * ones lack. The full build's; modern/engine.js has the same names, and some more.
 */

var IS_FULL = true;

var TRANSPORTS = ['websocket', 'stream', 'events', 'poll', 'jsonp'];

/** Never goes backwards, where the engine has such a clock. */
var monotonicMs = root.performance && performance.now ? function () {
  return performance.now();
} : function () {
  return new Date().getTime();
};

/**
 * @param {number} count
 * @returns {any} an array of bytes
 */
function randomBytes(count) {
  /** @type {any} */
  var bytes = [];
  if (root.crypto && crypto.getRandomValues) {
    bytes = new Uint8Array(count);
    // Its first implementations return nothing.
    crypto.getRandomValues(bytes);
  }
  while (bytes.length < count) {
    bytes.push(Math.floor(Math.random() * 256));
  }
  return bytes;
}

function newKey() {
  var bytes = randomBytes(16);
  var key = '';
  for (var i = 0; i < 16; i++) {
    key += (bytes[i] + 256).toString(16).substr(1);
  }
  return key;
}

/** @param {string} url relative to the page */
function absoluteUrl(url) {
  if (!root.document) {
    return new URL(url, root.location && root.location.href).href;
  }
  // The way that every browser has.
  var anchor = document.createElement('a');
  anchor.href = url;
  return anchor.href;
}

/**
 * How many bytes a text takes in UTF-8.
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

/** @param {Uint8Array} view */
function copyBytes(view) {
  var bytes = new Uint8Array(view.length);
  // Asked for a copy of a view, KHTML gives one of what its buffer begins with.
  for (var i = 0; i < view.length; i++) {
    bytes[i] = view[i];
  }
  return bytes;
}

/** @param {any} data */
function isBlob(data) {
  return / (Blob|File)\b/.test(Object.prototype.toString.call(data));
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
function readBlob(blob, done, failed) {
  var reader = new FileReader();
  reader.onload = function () {
    done(/** @type {ArrayBuffer} */ (reader.result));
  };
  reader.onerror = failed;
  reader.readAsArrayBuffer(blob);
}

/** How binary messages come unless the application says. */
function chooseBinaryType() {
  try {
    return new Blob([]) && 'blob';
  } catch (error) {
    // Some have a Blob that cannot be made.
    return 'arraybuffer';
  }
}
