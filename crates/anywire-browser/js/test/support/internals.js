'use strict';
// The builds with their inner functions in sight: the full one for tests of the rooms and for the server, and the one
// that is tested, which `BUILD` names.

const { readFileSync } = require('node:fs');
const { test } = require('node:test');
const path = require('node:path');

const FULL = 'anywire-full';
const isFull = !process.env.BUILD || process.env.BUILD === FULL;

const NAMES = [
  'Anywire', 'BINARY_ENCODING', 'TEXT_ENCODING', 'createMemory', 'createNegotiation',
  'createOutbox', 'createSession', 'createTimer', 'decodeAnswer', 'decodeFrame', 'decodeText', 'encodeFrame',
  'encodeText', 'fromBase64', 'isRetry', 'parseClose', 'parseJson', 'resolveEndpoints', 'toBase64', 'utf8Length',
  'wellFormed',
];

/**
 * The inner functions of a build; with a `global`, as in an engine that has nothing but what is in it.
 * What the build does not have is undefined.
 */
function load(global = globalThis, build = FULL) {
  const source = readFileSync(path.join(__dirname, `../../dist/${build}.js`), 'utf8');
  const end = source.lastIndexOf('}(typeof self');
  const members = NAMES.map((name) => `${name}: typeof ${name} === 'undefined' ? undefined : ${name}`);
  const opened = `${source.slice(0, end)}root.internals = { ${members} };\n${source.slice(end)}`;
  new Function('self', 'module', opened)(global, undefined);
  const { internals } = global;
  delete global.internals;
  return internals;
}

function defined(members) {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member));
}

/** What a script tag gives. */
function loadScript(file) {
  const source = readFileSync(path.join(__dirname, '../../dist', file), 'utf8');
  new Function('self', source)(globalThis);
  const { Anywire } = globalThis;
  delete globalThis.Anywire;
  return Anywire;
}

const internals = load();
const { BINARY_ENCODING: binary, decodeText, encodeText } = internals;
module.exports = {
  ...internals,
  ...(isFull ? {} : defined(load(globalThis, process.env.BUILD))),
  load,
  loadScript,
  /** What bodies can be. */
  ENCODINGS: isFull ? ['text', 'binary'] : ['binary'],
  /** What the modern build does not do. */
  testFull: isFull ? test : () => {},
  encodePayload: (packets, isBinary) => (isBinary ? binary.pack : encodeText)(packets),
  /** Of a request, whose text is escaped, or of an answer without its escape. */
  decodePayload: (payload) => (typeof payload === 'string' ?
    decodeText(/^b=/.test(payload) ? decodeURIComponent(payload.slice(2)) : payload) :
    binary.unpack(payload)),
};
