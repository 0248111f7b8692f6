// The build that is tested: the full one, or the modern one under `node --conditions=modern`. With what the tests'
// server needs of the full one, and the scripts as pages load them.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BINARY_ENCODING } from '../../src/wire/bytes.js';
import { decodeText, encodeText } from '../../src/wire/text.js';

const isFull = !process.execArgv.includes('--conditions=modern');

export const { utf8Length, wellFormed } = await import(`../../src/platform/${isFull ? 'legacy' : 'modern'}/text.js`);

/** What bodies can be. */
export const ENCODINGS = isFull ? ['text', 'binary'] : ['binary'];

/** For what the modern build does not do. */
export const testFull = isFull ? test : test.skip;

export function encodePayload(packets, isBinary) {
  return (isBinary ? BINARY_ENCODING.pack : encodeText)(packets);
}

/** Of a request, whose text is escaped, or of an answer without its escape. */
export function decodePayload(payload) {
  return typeof payload === 'string' ?
    decodeText(/^b=/.test(payload) ? decodeURIComponent(payload.slice(2)) : payload) :
    BINARY_ENCODING.unpack(payload);
}

/** What a script tag gives. */
export function loadScript(file) {
  const source = readFileSync(path.join(import.meta.dirname, '../../dist', file), 'utf8');
  new Function('self', source)(globalThis);
  const { Anywire } = globalThis;
  delete globalThis.Anywire;
  return Anywire;
}
