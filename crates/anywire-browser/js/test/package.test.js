// The package as others get it: packed, installed into an empty folder, and taken both ways.

import { test } from 'node:test';
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import { bundleApplication, BUILDS } from '../bundle.mjs';

const home = path.join(import.meta.dirname, '..');
const TAKE = `
const socket = new Anywire('ws://127.0.0.1:9/anywire', ['chat'], { connectTimeoutMs: 1, WebSocket: null, XMLHttpRequest: null });
socket.addEventListener('custom', () => console.log(Anywire.CLOSING, socket.readyState, socket.url));
socket.dispatchEvent(new Event('custom'));
socket.onclose = (event) => console.log(event.code);
`;

test('the package can be required and imported, and has its types', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'anywire-package-'));
  const run = (command, ...args) =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    run('npm', 'pack', '--silent', '--pack-destination', folder, home);
    const [tarball] = readdirSync(folder).filter((name) => /\.tgz$/.test(name));
    writeFileSync(path.join(folder, 'package.json'), '{"name":"empty","version":"1.0.0"}');
    run('npm', 'install', '--offline', '--no-audit', '--no-fund', '--silent', `./${tarball}`);
    const expected = '2 0 ws://127.0.0.1:9/anywire\n1006\n';
    for (const name of ['anywire', 'anywire/full']) {
      writeFileSync(path.join(folder, 'take.cjs'), `const Anywire = require('${name}');${TAKE}`);
      writeFileSync(path.join(folder, 'take.mjs'), `import Anywire from '${name}';${TAKE}`);
      assert.equal(run(process.execPath, 'take.cjs'), expected);
      assert.equal(run(process.execPath, 'take.mjs'), expected);
    }
    writeFileSync(path.join(folder, 'reopens.mjs'),
      "import Anywire, { reopen } from 'anywire';\nconsole.log(typeof reopen(), typeof Anywire.reopen);\n");
    assert.equal(run(process.execPath, 'reopens.mjs'), 'function function\n');
    writeFileSync(path.join(folder, 'take.ts'),
      "import Anywire, { reopen } from 'anywire';\nnew Anywire('/', [], { reopen: reopen({ resend: true }) });\nexport const code: 2 = Anywire.CLOSING;\n" +
      "export const socket: Anywire = new Anywire('/anywire', [], { transports: ['stream'] });\n");
    const tsc = path.join(home, 'node_modules/.bin/tsc');
    run(tsc, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2020', '--types', '', 'take.ts');
    const files = readdirSync(path.join(folder, 'node_modules/anywire')).sort();
    assert.deepEqual(files, [
      'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'dist', 'full', 'index.d.mts', 'index.d.ts', 'package.json',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an application that does not name reopen has nothing of it in its bundle, and is told what it lacks', async () => {
  for (const build of Object.keys(BUILDS)) {
    const open = (option) => `self.socket = new Anywire('ws://127.0.0.1:9/anywire', [], { ${option} });`;
    const without = await bundleApplication(build, `import Anywire from 'anywire'; ${open('reopen: true')}`);
    const named = await bundleApplication(
      build, `import Anywire, { reopen } from 'anywire'; ${open('reopen: reopen({ resend: true })')}`);
    for (const word of ['unacknowledged', 'maxMs', 'expired', 'resent']) {
      assert.equal(named.split(word).length > without.split(word).length, true, word);
    }
    assert.doesNotMatch(without, /unacknowledged|resent|previous:[^,]*,unack/);
    assert.ok(named.length - without.length > 500);
    const page = () => ({
      self: undefined, performance, crypto, URL, EventTarget, Event, DOMException, Blob, TextEncoder, TextDecoder, setTimeout: () => {},
      clearTimeout: () => {}, location: new URL('http://127.0.0.1:9/'), addEventListener() {}, navigator: {},
    });
    const run = (code) => {
      const context = page();
      context.self = context;
      vm.runInNewContext(code, context);
      return context.socket;
    };
    assert.equal(run(named).readyState, 0);
    assert.throws(() => run(without), { name: 'TypeError', message: /import \{ reopen \}/ });
  }
});

test('what a script tag and require give takes the option as it is', () => {
  for (const file of ['anywire.js', 'anywire-full.js', 'anywire.min.js', 'anywire-full.min.js']) {
    const page = { EventTarget, Event, performance, crypto, URL, Blob, TextEncoder, TextDecoder, setTimeout: () => {}, clearTimeout() {}, location: new URL('http://127.0.0.1:9/') };
    page.self = page;
    vm.runInNewContext(readFileSync(path.join(home, 'dist', file), 'utf8'), page);
    for (const option of ['true', '{ maxMs: 100, resend: true }', 'Anywire.reopen()']) {
      const socket = vm.runInNewContext(`new Anywire('ws://127.0.0.1:9/anywire', [], { reopen: ${option} })`, page);
      assert.equal(socket.readyState, 0, `${file} ${option}`);
    }
  }
});

test('a loader of modules gets it too, and then there is no global', () => {
  for (const file of ['anywire.js', 'anywire-full.js']) {
    const defined = [];
    const define = (names, make) => defined.push(make());
    define.amd = {};
    const page = { define, EventTarget };
    vm.runInNewContext(readFileSync(path.join(home, 'dist', file), 'utf8'), page);
    assert.equal(typeof defined[0], 'function');
    assert.equal(page.Anywire, undefined);
  }
});
