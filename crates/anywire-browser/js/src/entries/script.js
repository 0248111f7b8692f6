/**
 * What a script tag runs: it sets the global. A script tag beside a loader of modules wants that too, so only what is
 * installed knows loaders.
 */

import Anywire from '../anywire.js';
import { reopen } from '../reopen.js';
import root from '../root.js';

/** @type {any} */ (Anywire).reopen = reopen;
root.Anywire = Anywire;
