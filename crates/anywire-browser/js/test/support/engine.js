// The full build in another engine than Node's. A module is run once in a process; a script, as often as there are
// engines.

import { bundle } from '../../bundle.mjs';

const script = await bundle('test/support/rooms.js', 'anywire-full');

/** The global object of an engine like Node's, but for these. */
export function engine(others) {
  const names = Object.getOwnPropertyNames(globalThis);
  return Object.assign(Object.fromEntries(names.map((name) => [name, globalThis[name]])), others);
}

/** What rooms.js exports, in an engine whose global object is this. */
export function load(engine = globalThis) {
  return new Function('self', `${script}\nreturn exported;`)(engine);
}
