// The same types for `import`.

import Anywire from './index.js';
export default Anywire;

/** Gives what the option `reopen` takes. */
export declare function reopen(options?: Anywire.ReopenOptions | true): Anywire.Reopen;
