/**
 * Owns JSON for engines that have none: what comes from the server, and what goes up to open.
 * The engine's own comes first. The full build's; modern/json.js has the same name.
 */

import root from '../../root.js';

/** @type {JSON} */
export var json = root.JSON || /** @type {any} */ ({
  /** @param {string} text */
  parse: function (text) {
    // With its strings and words taken out, nothing but punctuation may be left.
    var rest = text.replace(
      /"(?:[^"\\\n\r]|\\.)*"|true|false|null|-?\d+(?:\.\d+)?(?:[eE][+\-]?\d+)?/g, '');
    if (/[^\[\],:{}\s]/.test(rest)) {
      throw new Error('not JSON');
    }
    return new Function('return ' + text)();
  },

  /**
   * @param {any} value
   * @returns {string}
   */
  stringify: function (value) {
    if (typeof value !== 'object') {
      return typeof value === 'string' ?
        '"' + value.replace(/[\\"]/g, '\\$&') + '"' : '' + value;
    }
    var isArray = value.concat;
    var parts = [];
    for (var name in value) {
      if (value.hasOwnProperty(name)) {
        parts.push((isArray ? '' : '"' + name + '":') + json.stringify(value[name]));
      }
    }
    return isArray ? '[' + parts + ']' : '{' + parts + '}';
  }
});
