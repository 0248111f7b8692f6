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
  return bundle('src/entries/script.js', build, 'iife');
}

/** For `require` and loaders of AMD. */
export async function bundleUmd(build) {
  return banner() + await bundle('src/entries/umd.js', build, 'iife');
}

/** For `import`. */
export async function bundleModule(build) {
  return banner() + await bundle('src/anywire.js', build, 'es');
}

/** A script, shortened: members that end in `_` are the client's own, and get letters. */
export async function minifyScript(build) {
  const { ecma } = BUILDS[build];
  const isModern = ecma > 5;
  const { code } = await minify(await bundleScript(build), {
    ie8: !isModern,
    ecma: isModern ? ecma : 5,
    compress: { passes: 3, pure_getters: true, unsafe_arrows: isModern, unsafe_methods: isModern },
    mangle: { properties: { regex: /_$/ } },
    format: { comments: false, ascii_only: true },
  });
  return `${code}\n`;
}

/** Joins an entry, and all that it imports, for a build's platform. Whatever rollup warns of is an error. */
export async function bundle(entry, build, format) {
  const { platform } = BUILDS[build];
  const joined = await rollup({
    input: path(entry),
    // Where no name of the global object is known.
    context: 'this',
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
