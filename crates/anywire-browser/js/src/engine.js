/**
 * Owns what is asked of the engine beside its transports and its timers.
 * Leaves stand-ins for what old ones lack to old-engine.js, which is only in the full build.
 */

var engine = {
  /** The date may be set; this never goes backwards. */
  now: function () {
    return performance.now();
  },

  /** @param {number} count */
  randomBytes: function (count) {
    var bytes = new Uint8Array(count);
    // Its first implementations return nothing.
    crypto.getRandomValues(bytes);
    return bytes;
  },

  /** @param {string} url relative to the page */
  absolute: function (url) {
    return new URL(url, root.location && root.location.href).href;
  },

  /**
   * How many bytes a text takes in UTF-8.
   * @param {string} text
   */
  utf8Length: function (text) {
    return new TextEncoder().encode(text).length;
  },

  /** @param {Uint8Array} view */
  copy: function (view) {
    return new Uint8Array(view);
  },

  /**
   * @param {Blob} blob
   * @param {(buffer: ArrayBuffer) => void} done
   * @param {() => void} failed
   */
  readBlob: function (blob, done, failed) {
    blob.arrayBuffer().then(done, failed);
  },

  /** How binary messages come unless the application says. */
  binaryType: function () {
    return 'blob';
  },

  /** What is used unless the application says. */
  transports: ['websocket', 'poll'],

  /**
   * How HTTP carries a session, if it can.
   * @param {Settings} settings
   * @param {Session} _session
   * @param {Endpoints} _endpoints
   * @returns {Http | undefined}
   */
  http: function (settings, _session, _endpoints) {
    return isListed(settings, POLL) && settings.XMLHttpRequest && settings.encoding !== 'text' ?
      newHttp(POLL, BINARY_ENCODING, startExchange) : undefined;
  }
};

/**
 * @param {string} name
 * @param {Encoding} encoding
 * @param {Exchange} exchange
 * @returns {Http}
 */
function newHttp(name, encoding, exchange) {
  return /** @type {any} */ ({
    name: name, encoding: encoding, exchange: exchange, holdMs: Infinity, batchBytes: Infinity
  });
}
