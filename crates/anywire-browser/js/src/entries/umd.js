/**
 * What is installed and not imported: for `require`, for loaders of AMD, and as a global where there is neither.
 */

import Anywire from '../anywire.js';
import root from '../root.js';

if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else if (typeof define === 'function' && define.amd) {
  define([], function () {
    return Anywire;
  });
} else {
  root.Anywire = Anywire;
}
