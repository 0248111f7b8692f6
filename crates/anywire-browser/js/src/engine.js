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
    return crypto.getRandomValues(new Uint8Array(count));
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

  /**
   * The encoding for polls, if there is one.
   * @param {Settings} settings
   * @returns {Encoding | undefined}
   */
  encoding: function (settings) {
    return settings.encoding === 'text' ? undefined : BINARY_ENCODING;
  }
};
