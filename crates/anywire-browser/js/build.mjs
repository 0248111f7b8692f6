// Joins src/*.js into two builds, the modern one and the full one for old engines too, each readable, as a module of
// ECMAScript, and minified for script tags.
// With --check it writes nothing and fails when dist is not what it would write, or a build is too large.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { gzipAsync } from '@gfx/zopfli';
import { minify } from 'terser';
import { chooseLetters, printer, readProgram } from './names/program.mjs';

// In any order they are the same client; in this one gzip finds most.
const SHARED = [
  'wire/message', 'outbox', 'negotiation/negotiator', 'wire/payload', 'memory', 'transports/poll', 'endpoint', 'client',
  'timers', 'transports/websocket', 'negotiation/leg-state', 'negotiation/trace', 'wire/packet', 'session', 'wire/bytes',
  'negotiation/negotiation', 'page', 'anywire', 'transports/browser-websocket',
];
// What the platform gives; and more, with stand-ins for what old engines lack, under the same names.
const MODERN = ['platform/modern/engine', 'platform/modern/target', ...SHARED, 'platform/modern/exchange'];
const FULL = [
  'platform/legacy/engine', 'platform/legacy/target', 'platform/legacy/text', ...SHARED, 'platform/legacy/exchange',
  'wire/text', 'transports/events', 'wire/base64', 'transports/downstream', 'transports/jsonp', 'platform/legacy/http',
  'platform/legacy/json', 'transports/stream', 'platform/legacy/active-request',
];

/** What an engine must know, and the minified size, with gzip, that a build must not exceed. */
export const BUILDS = {
  anywire: { sources: MODERN, ecma: 2015, maxBytes: 7680 },
  'anywire-full': { sources: FULL, ecma: 3, maxBytes: 11776 },
};

const GLOBAL = "typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : this";

// A script tag beside a loader of modules wants the global, so only what is installed knows loaders.
const SCRIPT_TAIL = `
root.Anywire = Anywire;
`;
const UMD_TAIL = `
if (typeof module === 'object' && module.exports) {
  module.exports = Anywire;
} else if (typeof define === 'function' && define.amd) {
  define([], function () {
    return Anywire;
  });
} else {
  root.Anywire = Anywire;
}
`;

// Members that only the client's own objects have. What the application, the browser or a packet names stays as it
// is; where it has such a name, the sources quote it.
const PRIVATE = [
  'ack', 'acknowledge', 'attachContent', 'attachedAfter', 'attachment', 'attempts', 'base',
  'batch', 'batchBytes', 'bytes', 'bytesPerMs', 'carrier', 'closing', 'content', 'contentType', 'deadline',
  'decisions', 'end', 'ended', 'expire', 'failures', 'feed', 'giveUp', 'gone', 'grace', 'handleAck', 'handleClose', 'handleHeard',
  'handleMessage', 'handleOpened', 'handleRefusal', 'handleReported', 'hasDropped', 'hasStarted', 'isAllowed',
  'isNarrow', 'isProven', 'isShort', 'isStalled', 'leg', 'letter', 'limits', 'note', 'offer',
  'onbuffer', 'onend', 'ontransmit', 'openContent', 'outbox', 'pack', 'padding', 'phase', 'recall', 'received',
  'reports', 'rungs', 'startedAt', 'steady', 'stop', 'take', 'toData', 'toText', 'trace', 'transmit',
  'unpack',
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(process.argv.includes('--check'));
}

/** Writes `dist`, or with `isCheck` looks whether it is right. */
export async function build(isCheck) {
  const stale = [];
  const tooLarge = [];
  for (const [name, { sources, maxBytes }] of Object.entries(BUILDS)) {
    const program = await compress(name);
    const wishes = JSON.parse(readFileSync(wishesFile(name), 'utf8'));
    const minified = printer(program)(chooseLetters(program, wishes)) + '\n';
    const texts = {
      [`dist/${name}.js`]: wrap(sources, UMD_TAIL, GLOBAL),
      [`dist/${name}.mjs`]: `${banner()}var root = ${GLOBAL};\n\n${join(sources)}\nexport default Anywire;\n`,
      [`dist/${name}.min.js`]: minified,
      [`dist/${name}.min.js.gz`]: minified,
      [`dist/${name}.min.js.br`]: minified,
    };
    for (const [file, text] of Object.entries(texts)) {
      if (!isCheck) {
        mkdirSync(path('dist'), { recursive: true });
        writeFileSync(path(file), await pack(file, text));
      } else if (!existsSync(path(file)) || unpack(file, readFileSync(path(file))) !== text) {
        stale.push(file);
      }
    }
    // What is committed counts, since it is what is served.
    const [bytes, brotliBytes] = ['gz', 'br'].map((ending) => sizeOf(`dist/${name}.min.js.${ending}`));
    console.log(`dist/${name}.min.js: ${minified.length} bytes, ${bytes} of ${maxBytes} with gzip, ${brotliBytes} with brotli`);
    if (bytes > maxBytes) {
      tooLarge.push(name);
    }
  }
  if (stale.length) {
    console.error(`stale: ${stale.join(', ')}. Run 'npm run build'.`);
  }
  if (tooLarge.length) {
    console.error(`too large: ${tooLarge.join(', ')}. After a change, 'npm run shorten' may find better names.`);
  }
  process.exitCode = tooLarge.length || stale.length ? 1 : 0;
}

function join(sources) {
  return sources.map((name) => read(`src/${name}.js`)).join('\n');
}

function wrap(sources, tail, root) {
  return `${banner()}(function (root) {\n\n${join(sources)}${tail}}(${root}));\n`;
}

function banner() {
  return `/*! Anywire ${version()} */\n`;
}

/** A build's script, minified but for the names. */
export async function compress(build) {
  const { sources, ecma } = BUILDS[build];
  const isModern = ecma > 5;
  const { code } = await minify(wrap(sources, SCRIPT_TAIL, 'self'), {
    ie8: !isModern,
    ecma: isModern ? ecma : 5,
    compress: {
      passes: 6, conditionals: isModern, lhs_constants: false, pure_getters: true,
      unsafe_proto: true, unsafe_arrows: isModern, unsafe_methods: isModern, properties: false,
    },
    mangle: false,
    format: { comments: false, ascii_only: true, shorthand: false, keep_quoted_props: true },
  });
  return readProgram(code, shapes(), !isModern);
}

/**
 * The private members of each kind of object, as the type checker knows them. Kinds that have none in common may give the
 * same letter to different ones.
 */
function shapes() {
  const own = {};
  const outer = {};
  for (const [, kind, bases, body] of
    read('src/types.d.ts').matchAll(/^interface (\w+)(?: extends ([\w, ]+))? \{\n([\s\S]*?)^\}/gm)) {
    own[kind] = [...body.matchAll(/^  (?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member);
    outer[kind] = bases?.split(', ') ?? [];
  }
  const all = (kind) => [...own[kind], ...outer[kind].flatMap(all)];
  const known = Object.keys(own).map((kind) => all(kind).filter((member) => PRIVATE.includes(member)));
  const unknown = PRIVATE.filter((member) => !known.flat().includes(member));
  if (unknown.length) {
    throw new Error(`no interface has ${unknown}`);
  }
  return known;
}

export function wishesFile(build) {
  return path(`names/${build}.json`);
}

/** A file as it is served. Built once and served often, it may take its time. */
async function pack(file, text) {
  return file.endsWith('.gz') ? gzipAsync(text, { numiterations: 100 }) :
    file.endsWith('.br') ? brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }) : text;
}

/** What a file holds. Compressors of other versions may find other bytes for the same. */
function unpack(file, bytes) {
  return String(file.endsWith('.gz') ? gunzipSync(bytes) : file.endsWith('.br') ? brotliDecompressSync(bytes) : bytes);
}

function sizeOf(file) {
  return existsSync(path(file)) ? statSync(path(file)).size : NaN;
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
