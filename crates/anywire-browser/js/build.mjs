// Joins src/*.js into dist/anywire.js and minifies that into dist/anywire.min.js.
// With --check it writes nothing and fails when dist is not what it would write.

import { readFileSync, writeFileSync, mkdirSync, existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const SOURCES = [
  'bytes', 'packet', 'payload', 'timers', 'outbox', 'session', 'websocket', 'poll',
  'websocket-leg', 'exchange', 'poll-leg', 'negotiator', 'endpoint', 'sender', 'client', 'anywire',
];

const HEAD = `/*! Anywire ${version()} */\n`;
const TAIL = `
if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else {
  root.Anywire = Anywire;
}
`;

const joined = HEAD +
  // Not strict: what the browser does not let be set, such as the target of its own events, must not
  // throw.
  '(function (root) {\n\n' +
  SOURCES.map((name) => read(`src/${name}.js`)).join('\n') + TAIL +
  "}(typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this));\n";

// Members that only the client's own objects have. What the application, the browser or a packet
// names stays as it is.
const PRIVATE = [
  'ack', 'attachContent', 'batch', 'batchBytes', 'buffered', 'bytes', 'check', 'closing', 'content',
  'end', 'ended', 'expire', 'gone', 'handleAck', 'handleClose', 'handleMessage', 'handleOpened',
  'handleRefusal', 'hasDropped', 'isRunning', 'letter', 'listener', 'negotiator', 'nextGeneration',
  'onattach', 'onbuffer', 'onend', 'onheld', 'onlost', 'onpayload', 'ontransmit', 'openContent',
  'outbox', 'restart', 'retry', 'start', 'stop', 'take', 'tell', 'toData', 'transmit', '_client',
  '_listeners',
];

const minified = await minify(joined, {
  ie8: true,
  ecma: 5,
  // Inlined functions and joined conditions are shorter, but gzip finds less in them.
  compress: {
    passes: 6, inline: false, conditionals: false, pure_getters: true,
    unsafe_proto: true,
  },
  mangle: { properties: { builtins: true, regex: new RegExp(`^(${PRIVATE.join('|')})$`) } },
  format: { comments: false, ascii_only: true },
});

const outputs = { 'dist/anywire.js': joined, 'dist/anywire.min.js': minified.code + '\n' };

if (process.argv.includes('--check')) {
  const stale = Object.keys(outputs).filter(
    (file) => !existsSync(path(file)) || read(file) !== outputs[file]);
  if (stale.length) {
    console.error(`stale: ${stale.join(', ')}. Run 'npm run build'.`);
    process.exit(1);
  }
} else {
  mkdirSync(path('dist'), { recursive: true });
  for (const file of Object.keys(outputs)) {
    writeFileSync(path(file), outputs[file]);
  }
  const { length } = minified.code;
  const packed = gzipSync(outputs['dist/anywire.min.js'], { level: 9 }).length;
  console.log(`dist/anywire.min.js: ${length + 1} bytes, ${packed} with gzip`);
}

function path(file) {
  return new URL(file, import.meta.url);
}

function read(file) {
  return readFileSync(path(file), 'utf8');
}

function version() {
  return JSON.parse(read('package.json')).version;
}
