/**
 * Owns reading JSON for engines that do not. The engine's own comes first. The full build's; modern/json.js has the same
 * name.
 */

import { exec, replace } from '../../language.js';
import root from '../../root.js';

var Code = Function;

/** @type {(text: string) => any} */
export var parse = root.JSON && root.JSON.parse || function (/** @type {string} */ text) {
  // With its strings and words taken out, nothing but punctuation may be left.
  var rest = replace(
    text, /"(?:[^"\\\n\r]|\\.)*"|true|false|null|-?\d+(?:\.\d+)?(?:[eE][+\-]?\d+)?/g, '');
  if (exec(/[^\[\],:{}\s]/, rest)) {
    throw new Error('not JSON');
  }
  return new Code('return ' + text)();
};
