/**
 * Owns reading JSON for engines that do not, and writing a text as JSON. The engine's own comes first. The full build's;
 * modern/json.js has the same names.
 */

import { exec, replace } from '../../language.js';
import root from '../../root.js';

var Code = Function;
/** Not that of addresses. */
var escape = root.escape;

/** @type {(text: string) => any} */
export var parse = root.JSON && root.JSON.parse || function (/** @type {string} */ text) {
  // With its strings and words taken out, nothing but punctuation may be left.
  var rest = replace(
    text, /"(?:[^"\\\n\r]|\\.)*"|true|false|null|-?\d+(?:\.\d+)?(?:[eE][+\-]?\d+)?/g, '');
  return exec(/[^\[\],:{}\s]/, rest) ? undefined : new Code('return ' + text)();
};

/**
 * Escaped is all that needs it, and more.
 * @param {string} text
 */
export function jsonText(text) {
  // What is %22 or %u20AC so is \u0022 and \u20AC in JSON.
  return '"' + replace(replace(escape(text), /%u/g, '\\u'), /%/g, '\\u00') + '"';
}
