'use strict';
// The full build with its inner functions in sight, for tests of the rooms and for the server.

const { readFileSync } = require('node:fs');
const path = require('node:path');

const NAMES = [
  'Anywire', 'BINARY_ENCODING', 'TEXT_ENCODING', 'createMemory', 'createNegotiation',
  'createOutbox', 'createSession', 'createTimer', 'decodeFrame', 'decodeText', 'encodeFrame',
  'encodeText', 'engine',
  'fromBase64', 'isRetry', 'parseClose', 'parseJson', 'resolveEndpoints', 'toBase64', 'wellFormed',
];

const source = readFileSync(path.join(__dirname, '../../dist/anywire-full.js'), 'utf8');
const end = source.lastIndexOf('}(typeof self');
const opened = source.slice(0, end) +
  `root.internals = { ${NAMES.join(', ')} };\n` + source.slice(end);

/** The inner functions; with a `global`, as in an engine that has nothing but what is in it. */
function load(global = globalThis) {
  new Function('self', 'module', opened)(global, undefined);
  const { internals } = global;
  delete global.internals;
  return internals;
}

const internals = load();
const { BINARY_ENCODING: binary, decodeText, encodeText } = internals;
module.exports = {
  ...internals,
  load,
  encodePayload: (packets, isBinary) => (isBinary ? binary.pack : encodeText)(packets),
  /** Of a request, whose text is escaped, or of an answer without its escape. */
  decodePayload: (payload) => (typeof payload === 'string' ?
    decodeText(/^b=/.test(payload) ? decodeURIComponent(payload.slice(2)) : payload) :
    binary.unpack(payload)),
};
