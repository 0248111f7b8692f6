// The gate for old browsers: both builds must be ECMAScript 3 before they are minified, reserved words included, and
// use no global that is not named here. The modern build is minified to ECMAScript 2015.

import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'acorn';
import jshint from 'jshint';
import { bundleModule, bundleUmd, minifyScript } from './bundle.mjs';

const RULES = {
  esversion: 3, undef: true, eqeqeq: true, boss: true, laxbreak: true,
  '-W054': true, // Function reads JSON where there is none, behind a check.
  '-W018': true, // `!(a > b)` is meant where NaN counts as no.
};
const GLOBALS = [
  'Blob', 'FileReader', 'JSON', 'TextDecoder', 'TextEncoder', 'URL', 'Uint8Array',
  'clearTimeout', 'crypto', 'define', 'document', 'global', 'module', 'performance', 'self', 'setTimeout',
];
const MODERN_GLOBALS = ['DOMException', 'Event', 'EventTarget', 'Reflect'];

let failures = 0;

const TEXTS = {
  'anywire.js': [3, await bundleUmd('anywire')],
  'anywire-full.js': [3, await bundleUmd('anywire-full')],
  'anywire.mjs': [2015, await bundleModule('anywire')],
  'anywire-full.mjs': [2015, await bundleModule('anywire-full')],
  'anywire.min.js': [2015, await minifyScript('anywire')],
  'anywire-full.min.js': [3, await minifyScript('anywire-full')],
};
for (const [file, [ecmaVersion, text]] of Object.entries(TEXTS)) {
  try {
    parse(text, { ecmaVersion, allowReserved: 'never', sourceType: /mjs$/.test(file) ? 'module' : 'script' });
  } catch (error) {
    report(file, error.message);
  }
}

// The comparison runs in middle-aged engines too, without its chart.
const PAGE = '../../../examples/compare/';
for (const file of readdirSync(new URL(PAGE, import.meta.url)).filter((name) => name.endsWith('.js'))) {
  try {
    parse(read(PAGE + file), { ecmaVersion: 5 });
  } catch (error) {
    report(file, error.message);
  }
}

for (const [file, more] of [['anywire-full.js', []], ['anywire.js', MODERN_GLOBALS]]) {
  const [, text] = TEXTS[file];
  jshint.JSHINT(
    text, RULES, Object.fromEntries([...GLOBALS, ...more].map((name) => [name, false])));
  for (const { line, character, code, reason } of jshint.JSHINT.errors) {
    report(file, `${line}:${character}: ${code} ${reason}`);
  }
}

process.exit(failures ? 1 : 0);

function read(file) {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

function report(file, problem) {
  failures++;
  console.error(`${file}: ${problem}`);
}
