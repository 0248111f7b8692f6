// The gate for old browsers: the sources and the full build must be ECMAScript 3, reserved words included, and
// use no global that is not named here. The modern build is minified to ECMAScript 2015.

import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'acorn';
import jshint from 'jshint';

const RULES = {
  esversion: 3, undef: true, eqeqeq: true, boss: true, laxbreak: true,
  '-W054': true, // Function reads JSON where there is none, behind a check.
  '-W079': true, // Its stand-in has its name.
  '-W069': true, // Names that are not ours are quoted.
  '-W018': true, // `!(a > b)` is meant where NaN counts as no.
};
const GLOBALS = [
  'Blob', 'FileReader', 'JSON', 'TextDecoder', 'TextEncoder', 'URL', 'Uint8Array',
  'clearTimeout', 'crypto', 'define', 'document', 'global', 'module', 'performance', 'self', 'setTimeout',
];
const MODERN_GLOBALS = ['DOMException', 'Event', 'EventTarget', 'Reflect'];

let failures = 0;

const VERSIONS = {
  'dist/anywire.js': 3, 'dist/anywire-full.js': 3, 'dist/anywire-full.min.js': 3, 'dist/anywire.min.js': 2015,
  'dist/anywire.mjs': 2015, 'dist/anywire-full.mjs': 2015,
};
for (const [file, ecmaVersion] of Object.entries(VERSIONS)) {
  try {
    parse(read(file), {
      ecmaVersion, allowReserved: 'never', sourceType: /mjs$/.test(file) ? 'module' : 'script',
    });
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

for (const [file, more] of [['dist/anywire-full.js', []], ['dist/anywire.js', MODERN_GLOBALS]]) {
  jshint.JSHINT(
    read(file), RULES, Object.fromEntries([...GLOBALS, ...more].map((name) => [name, false])));
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
