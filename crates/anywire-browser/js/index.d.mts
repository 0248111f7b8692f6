// The same types for `import`.

import Anywire from './index.js';
export default Anywire;
