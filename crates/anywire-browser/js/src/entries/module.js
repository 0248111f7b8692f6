/**
 * What an application imports. What it does not name is not in its bundle.
 */

import Anywire from '../anywire.js';

/** @type {any} */ (Anywire).reopen = function () {
  throw new TypeError("import { reopen } from 'anywire', and give reopen() as the option");
};

export default Anywire;
export { reopen } from '../reopen.js';
