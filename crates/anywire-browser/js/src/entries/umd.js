/**
 * What is installed and not imported: for `require`, for loaders of AMD, and as a global where there is neither.
 */

import Anywire from '../anywire.js';
import { reopen } from '../reopen.js';
import root from '../root.js';

/** @type {any} */ (Anywire).reopen = reopen;

if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else if (typeof define === 'function' && define.amd) {
  define([], function () {
    return Anywire;
  });
} else {
  root.Anywire = Anywire;
}
