// What tests look at in engines that lack or break something.

export { default as Anywire } from '../../src/anywire.js';
export { resolveEndpoints } from '../../src/endpoint.js';
export { fromBase64, toBase64 } from '../../src/wire/base64.js';
export { createDispatch } from '../../src/dispatch.js';
export { takeTurns } from '../../src/turns.js';
export { readJson } from '../../src/wire/json.js';
