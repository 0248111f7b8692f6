// Joins the modules of src/ into one text: rollup finds them, terser shortens what a page loads.
// Leaves what is built, and how large it may be, to build.mjs.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';
import { minify } from 'terser';

/** Each build has a platform, which the sources import as `#platform/…`, and the ECMAScript that its script may use. */
export const BUILDS = {
  anywire: { platform: 'modern', ecma: 2015 },
  'anywire-full': { platform: 'legacy', ecma: 3 },
};

/** What Node takes for the platform where tests import the sources: `node --conditions=modern`, or nothing. */
const PLATFORMS = JSON.parse(read('src/package.json')).imports['#platform/*'];

/** For a script tag: it defines the global. */
export function bundleScript(build) {
  return bundle('src/entries/script.js', build, { global: 'self' });
}

/** For `require` and loaders of AMD. */
export async function bundleUmd(build) {
  return banner() + await bundle('src/entries/umd.js', build);
}

/** For `import`. */
export async function bundleModule(build) {
  return banner() + await bundle('src/entries/module.js', build, { format: 'es' });
}

/** A script, shortened. Members that end in `_` are the client's own, and get letters. */
export async function minifyScript(build) {
  const { ecma } = BUILDS[build];
  const isModern = ecma > 5;
  const options = () => ({
    ie8: !isModern, ecma: isModern ? ecma : 5, format: { comments: false, ascii_only: true },
  });
  const { code: short } = await minify(await bundleScript(build), {
    ...options(),
    compress: {
      passes: 3, lhs_constants: false, pure_getters: true, unsafe_arrows: isModern, unsafe_methods: isModern,
    },
    mangle: false,
  });
  const { code } = await minify(short, {
    ...options(),
    compress: false,
    mangle: { properties: { regex: /_$/ } },
    nameCache: { props: { props: letters(short) } },
  });
  return `${code}\n`;
}

/** In an order in which they cost little, found by trying. Any other is right too. */
const ALPHABET = [...'rtioebnaswOhucpmNgJdfklvjMGDPTLxBqVQXKARCEHZYSzUWFyI'];

/**
 * A letter for each member, the first ones for those that are used most; terser's own choice heeds neither that nor what an
 * object is. Two members have the same letter only where no interface of src/types.d.ts has both.
 */
function letters(code) {
  const counts = {};
  for (const [name] of code.matchAll(/\b[a-z]\w*_\b/gi)) {
    counts[name] = (counts[name] || 0) + 1;
  }
  const shapes = readShapes();
  const taken = new Map();
  const found = {};
  for (const name of Object.keys(counts).sort((a, b) => counts[b] - counts[a])) {
    const own = shapes.filter((shape) => shape.has(name));
    if (!own.length) {
      throw new Error(`no interface has ${name}`);
    }
    const letter = ALPHABET.find((letter) => own.every((shape) => !taken.get(shape)?.has(letter)));
    own.forEach((shape) => taken.set(shape, (taken.get(shape) ?? new Set()).add(letter)));
    found[`$${name}`] = letter;
  }
  return found;
}

/** The client's own members of each interface, with those that it inherits. */
function readShapes() {
  const text = read('src/types.d.ts');
  const interfaces = [...text.matchAll(/^interface (\w+)(?: extends ([^{]+))? \{\n([^]*?)^\}/gm)];
  const members = (name) => interfaces.filter((one) => one[1] === name).flatMap(([, , parents = '', body]) => [
    ...[...body.matchAll(/^  (\w+_)\b/gm)].map(([, member]) => member),
    ...[...parents.matchAll(/\w+/g)].flatMap(([parent]) => members(parent)),
  ]);
  return interfaces.map(([, name]) => new Set(members(name)));
}

/** An application that uses no more than it must. */
const APPLICATION = `import Anywire from 'anywire'; self.socket = new Anywire('/anywire');`;

/** What an application's bundler makes of the package's module, at the defaults of rollup and terser. */
export async function bundleApplication(build, application = APPLICATION) {
  const module = await bundleModule(build);
  const joined = await rollup({
    input: 'application',
    plugins: [{
      name: 'application',
      resolveId: (id) => id,
      load: (id) => (id === 'application' ? application : module),
    }],
  });
  const { output: [{ code }] } = await joined.generate({ format: 'es' });
  return (await minify(code, { module: true })).code;
}

/**
 * Joins an entry, and all that it imports, for a build's platform. A `global` takes the place of root.js. Whatever rollup
 * warns of is an error: a circle of imports, above all.
 */
export async function bundle(entry, build, { format = 'iife', global } = {}) {
  const { platform } = BUILDS[build];
  const joined = await rollup({
    input: path(entry),
    external: (id) => global && /\/root\.js$/.test(id),
    // What `this` is outside of functions: in a script the global object, in a module nothing.
    context: format === 'es' ? 'globalThis' : 'this',
    plugins: [{
      name: 'platform',
      resolveId: (id) => (id.startsWith('#platform/') ?
        path(`src/${(PLATFORMS[platform] ?? PLATFORMS.default).replace('*', id.slice('#platform/'.length))}`) : null),
    }],
    onwarn: ({ message }) => {
      throw new Error(message);
    },
  });
  // In sloppy mode, as scripts always were: engines that know the other have had errors in it.
  const { output: [{ code }] } = await joined.generate({
    format, name: 'exported', strict: false, esModule: false, generatedCode: 'es5',
    globals: () => global, interop: 'default',
  });
  return code;
}

function banner() {
  return `/*! Anywire ${JSON.parse(read('package.json')).version} */\n`;
}

function path(file) {
  return fileURLToPath(new URL(file, import.meta.url));
}

function read(file) {
  return readFileSync(path(file), 'utf8');
}
