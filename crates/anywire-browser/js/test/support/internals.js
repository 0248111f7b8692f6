'use strict';
// The built client with its inner functions in sight, for tests of the rooms and for the server.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const NAMES = [
  'Anywire', 'createOutbox', 'createSession', 'createTimer', 'decodeFrame', 'decodePayload',
  'encodeFrame', 'encodePayload', 'fromBase64', 'isRetry', 'parseClose', 'resolveEndpoints',
  'toBase64', 'utf8Length', 'wellFormed',
];

const source = readFileSync(path.join(__dirname, '../../dist/anywire.js'), 'utf8');
const end = source.lastIndexOf('}(typeof self');
const opened = source.slice(0, end) +
  `root.internals = { ${NAMES.join(', ')} };\n` + source.slice(end);

new Function('self', 'module', opened)(globalThis, undefined);

module.exports = globalThis.internals;
delete globalThis.internals;
