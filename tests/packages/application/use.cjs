// Both builds come by `require`.
const Anywire = require('anywire');
const Full = require('anywire/full');
if (Anywire.OPEN !== 1 || Full.CLOSED !== 3) throw new Error('not the class');
