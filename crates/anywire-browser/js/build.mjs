// Builds what the server serves, dist/*.min.js, which is committed; with --package what npm publishes beside it, which
// is not. With --check it writes nothing and fails when a script is not what it would write, or is too large, or when
// README.md states other sizes.

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { BUILDS, bundleApplication, bundleModule, bundleUmd, minifyScript } from './bundle.mjs';

/** What a page may have to load, with gzip. What a build has left is for what it is to learn. */
const MAX_BYTES = { anywire: 13457, 'anywire-full': 16979 };
/** By how much README.md may be wrong. */
const TOLERANCE = 0.05;

const [mode] = process.argv.slice(2);
const problems = [];
for (const build of Object.keys(BUILDS)) {
  if (mode === '--package') {
    write(`dist/${build}.js`, await bundleUmd(build));
    write(`dist/${build}.mjs`, await bundleModule(build));
    continue;
  }
  const file = `dist/${build}.min.js`;
  const script = await minifyScript(build);
  const bytes = sizeOf(script);
  console.log(`${file}: ${script.length} bytes, ${bytes} of ${MAX_BYTES[build]} with gzip`);
  if (bytes > MAX_BYTES[build]) {
    problems.push(`${file} is too large`);
  }
  if (mode !== '--check') {
    write(file, script);
    continue;
  }
  if (read(file) !== script) {
    problems.push(`${file} is stale: run 'npm run build'`);
  }
  const name = build.replace('-', '/');
  const applicationBytes = sizeOf(await bundleApplication(build));
  console.log(`import '${name}': ${applicationBytes} bytes with gzip in an application`);
  checkStated(file, bytes);
  checkStated(`import '${name}'`, applicationBytes);
}
if (mode === '--package') {
  for (const license of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    copyFileSync(path(`../../../${license}`), path(license));
  }
}
for (const problem of problems) {
  console.error(problem);
}
process.exitCode = problems.length ? 1 : 0;

/** Looks for the row of README.md that has the size of this. */
function checkStated(what, bytes) {
  const row = read('README.md').split('\n').find((line) => line.startsWith('|') && line.includes(`\`${what}\``));
  const stated = Number(/ ([\d,]+) /.exec(row)?.[1].replace(',', ''));
  if (!(Math.abs(stated - bytes) <= bytes * TOLERANCE)) {
    problems.push(`README.md: \`${what}\` has ${bytes} bytes with gzip, not ${stated}`);
  }
}

/** Only what has changed: a test may be reading it. */
function write(file, text) {
  if (read(file) !== text) {
    mkdirSync(path('dist'), { recursive: true });
    writeFileSync(path(file), text);
  }
}

function sizeOf(text) {
  return gzipSync(text, { level: 9 }).length;
}

function read(file) {
  return existsSync(path(file)) ? readFileSync(path(file), 'utf8') : undefined;
}

function path(file) {
  return new URL(file, import.meta.url);
}
