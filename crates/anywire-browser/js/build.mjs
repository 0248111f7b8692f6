// Joins src/*.js into two builds, the modern one and the full one for old engines too, each readable and minified.
// With --check it writes nothing and fails when dist is not what it would write, or a build is too large.

import { readFileSync, writeFileSync, mkdirSync, existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const MODERN = [
  'engine', 'text', 'packet', 'payload', 'payload-bytes', 'timers', 'outbox', 'session', 'websocket',
  'poll', 'websocket-leg', 'poll-leg', 'trace', 'line', 'negotiation', 'memory',
  'negotiator', 'page', 'endpoint', 'sender', 'client', 'anywire',
];
// What only old engines need; these files add themselves to what stands before.
const OLD = ['json', 'base64', 'payload-text', 'active-request', 'old-engine'];

/** What an engine must know, and the minified size, with gzip, that a build must not exceed. */
const BUILDS = {
  anywire: { sources: MODERN, ecma: 2015, maxBytes: 7168 },
  'anywire-full': { sources: [...MODERN, ...OLD], ecma: 3, maxBytes: 11264 },
};

const TAIL = `
if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else {
  root.Anywire = Anywire;
}
`;

// Members that only the client's own objects have. What the application, the browser or a packet
// names stays as it is.
const PRIVATE = [
  'absolute', 'ack', 'attachContent', 'attachedAfter', 'attempts', 'batch', 'batchBytes',
  'buffered', 'bytes', 'closing', 'content', 'contentType', 'create',
  'deadline', 'decisions', 'end', 'ended', 'expire', 'failures', 'feed', 'field',
  'giveUp', 'gone', 'grace', 'handleAck', 'handleClose', 'handleMessage', 'handleOpened',
  'handleRefusal', 'handleReported', 'hasDropped', 'hasStarted', 'isAllowed', 'isProven',
  'isRunning', 'isStalled', 'letter', 'listener', 'note', 'onbuffer', 'onend',
  'ontransmit', 'openContent', 'outbox', 'pack', 'padding', 'randomBytes', 'recall',
  'readBlob', 'reports', 'startedAt', 'stop', 'take', 'tell',
  'steady', 'toData', 'toText', 'transmit', 'unpack', 'usable', 'utf8Length', '_client', '_listeners',
];

const outputs = {};
const tooLarge = [];
for (const [name, { sources, ecma, maxBytes }] of Object.entries(BUILDS)) {
  const joined = join(sources);
  const minified = await shrink(joined, ecma);
  outputs[`dist/${name}.js`] = joined;
  outputs[`dist/${name}.min.js`] = minified;
  const bytes = gzipSync(minified, { level: 9 }).length;
  console.log(`dist/${name}.min.js: ${minified.length} bytes, ${bytes} of ${maxBytes} with gzip`);
  if (bytes > maxBytes) {
    tooLarge.push(name);
  }
}

const isCheck = process.argv.includes('--check');
const stale = Object.keys(outputs).filter(
  (file) => !existsSync(path(file)) || read(file) !== outputs[file]);
if (isCheck && stale.length) {
  console.error(`stale: ${stale.join(', ')}. Run 'npm run build'.`);
}
if (!isCheck) {
  mkdirSync(path('dist'), { recursive: true });
  for (const file of Object.keys(outputs)) {
    writeFileSync(path(file), outputs[file]);
  }
}
if (tooLarge.length) {
  console.error(`too large: ${tooLarge.join(', ')}`);
}
process.exitCode = tooLarge.length || (isCheck && stale.length) ? 1 : 0;

function join(sources) {
  return `/*! Anywire ${version()} */\n` +
    // Not strict: what the browser does not let be set, such as the target of its own events, must not
    // throw.
    '(function (root) {\n\n' +
    sources.map((name) => read(`src/${name}.js`)).join('\n') + TAIL +
    "}(typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this));\n";
}

async function shrink(joined, ecma) {
  const isModern = ecma > 5;
  const { code } = await minify(joined, {
    ie8: !isModern,
    ecma: isModern ? ecma : 5,
    // Inlined functions are shorter, but gzip finds less in them.
    compress: {
      passes: 6, inline: false, conditionals: isModern, lhs_constants: false, pure_getters: true,
      unsafe_proto: true, unsafe_arrows: isModern, unsafe_methods: isModern,
    },
    mangle: { properties: { builtins: true, regex: new RegExp(`^(${PRIVATE.join('|')})$`) } },
    format: { comments: false, ascii_only: true },
  });
  return code + '\n';
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
