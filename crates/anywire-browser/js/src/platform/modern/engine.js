/**
 * Owns what is asked of the engine beside its transports and its timers. The modern build's;
 * the full one has the same names in old/.
 */

var IS_FULL = false;

var TRANSPORTS = ['websocket', 'poll'];

/** The date may be set; this never goes backwards. */
function monotonicMs() {
  return performance.now();
}

function newKey() {
  return crypto.getRandomValues(new Uint8Array(16)).reduce(function (key, number) {
    return key + (number + 256).toString(16).slice(1);
  }, '');
}

/** @param {string} url relative to the page */
function absoluteUrl(url) {
  return new URL(url, root.location).href;
}

/**
 * How many bytes a text takes in UTF-8.
 * @param {string} text
 */
function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

/** @param {Uint8Array} view */
function copyBytes(view) {
  return new Uint8Array(view);
}

/**
 * The text as it goes: what takes it puts U+FFFD for each surrogate that stands alone.
 * @param {string} text
 */
function wellFormed(text) {
  return text;
}

/** @param {any} data */
function isBlob(data) {
  // A Response has that too, but no size.
  return data && data.size >= 0 && data.arrayBuffer;
}

/**
 * @param {Blob} blob
 * @param {(buffer: ArrayBuffer) => void} done
 * @param {() => void} failed
 */
function readBlob(blob, done, failed) {
  blob.arrayBuffer().then(done, failed);
}

/** How binary messages come unless the application says. */
function chooseBinaryType() {
  return 'blob';
}

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} _session
 * @param {Endpoints} _endpoints
 * @returns {Http | undefined}
 */
function chooseHttp(settings, _session, _endpoints) {
  return isListed(settings, POLL) && settings.XMLHttpRequest ?
    /** @type {any} */ ({ holdMs: Infinity, batchBytes: Infinity }) : undefined;
}
