// The build that is tested: the full one, or the modern one under `node --conditions=modern`, of the sources or, where
// `SCRIPT` names one, as a page loads it.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

export const isFull = !process.execArgv.includes('--conditions=modern');

/** What browsers have to read a Blob beside its `arrayBuffer`, and Node has not. */
globalThis.FileReader = class {
  readAsArrayBuffer(blob) {
    blob.arrayBuffer().then((buffer) => {
      this.result = buffer;
      this.onload();
    }, () => this.onerror());
  }
};

export const Anywire = process.env.SCRIPT ?
  loadScript(process.env.SCRIPT) : (await import('../../src/anywire.js')).default;
/** What `import { reopen }` gives; a script has it as a member. */
export const reopen = Anywire.reopen || (await import('../../src/reopen.js')).reopen;
export const { utf8Length, wellFormed } = await import(`../../src/platform/${isFull ? 'legacy' : 'modern'}/text.js`);

/** What bodies can be. */
export const ENCODINGS = isFull ? ['text', 'binary'] : ['binary'];

/** For what the modern build does not do. */
export const testFull = isFull ? test : test.skip;

/** What a script tag gives. */
export function loadScript(file) {
  const source = readFileSync(path.join(import.meta.dirname, '../../dist', file), 'utf8');
  new Function('self', source)(globalThis);
  const { Anywire } = globalThis;
  delete globalThis.Anywire;
  return Anywire;
}
