/**
 * Owns the text that a message may be: no surrogate stands alone in it.
 * Leaves what it means to its callers.
 */

/**
 * The text with U+FFFD for each surrogate that stands alone, as WebSocket sends it.
 * @param {string} text
 */
function wellFormed(text) {
  return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, function (match) {
    return match.length > 1 ? match : '\uFFFD';
  });
}
