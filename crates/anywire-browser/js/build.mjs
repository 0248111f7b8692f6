// Builds what the server serves, dist/*.min.js, which is committed; with --package what npm publishes beside it, which
// is not. With --check it writes nothing and fails when a script is not what it would write, or is too large.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { BUILDS, bundleModule, bundleUmd, minifyScript } from './bundle.mjs';

/** What a page may have to load, with gzip. What a build has left is for what it is to learn. */
const MAX_BYTES = { anywire: 8192, 'anywire-full': 12288 };

const isCheck = process.argv.includes('--check');
const isPackage = process.argv.includes('--package');
const problems = [];
for (const build of Object.keys(BUILDS)) {
  if (isPackage) {
    write(`${build}.js`, await bundleUmd(build));
    write(`${build}.mjs`, await bundleModule(build));
    continue;
  }
  const script = await minifyScript(build);
  if (!isCheck) {
    write(`${build}.min.js`, script);
  } else if (read(`${build}.min.js`) !== script) {
    problems.push(`dist/${build}.min.js is stale: run 'npm run build'`);
  }
  const bytes = sizeOf(script);
  console.log(`dist/${build}.min.js: ${script.length} bytes, ${bytes} of ${MAX_BYTES[build]} with gzip`);
  if (bytes > MAX_BYTES[build]) {
    problems.push(`dist/${build}.min.js is too large`);
  }
}
for (const problem of problems) {
  console.error(problem);
}
process.exitCode = problems.length ? 1 : 0;

/** Only what has changed: a test may be reading it. */
function write(file, text) {
  if (read(file) !== text) {
    mkdirSync(path(''), { recursive: true });
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
  return new URL(`dist/${file}`, import.meta.url);
}
