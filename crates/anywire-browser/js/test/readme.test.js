// What the READMEs and docs/ print works: their pages and scripts run, with the client itself on a simulated network, and the
// commands name what there is. Rust's blocks are doc tests, and nginx reads its own in tests/src/middlebox.

import { test } from 'node:test';
import assert from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { reopen } from './support/builds.js';
import { createScene } from './support/scene.js';

const root = path.join(import.meta.dirname, '../../../..');
const read = (file) => readFileSync(path.join(root, file), 'utf8');
const PAGES = [
  'README.md', 'docs/browsers.md', 'docs/comparison.md', 'docs/identity.md', 'docs/operating.md', 'docs/performance.md',
  'docs/presence.md', 'docs/reopen.md', 'crates/anywire-browser/js/README.md', 'CONTRIBUTING.md',
];

/** All code blocks: { file, language, code }. */
const BLOCKS = PAGES.flatMap((file) => {
  const blocks = [...read(file).matchAll(/^```(.+)\n([^]*?)^```$/gm)];
  return blocks.map(([, language, code]) => ({ file, language, code }));
});

const of = (...languages) => BLOCKS.filter(({ language }) => languages.includes(language));

/** Scripts as a page would run them; an import is what the page's script tag does. */
const SCRIPTS = of('html', 'js').map(({ language, code }) => {
  const scripts = [...code.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script);
  return (language === 'html' ? scripts.join('\n') : code).replace(/^import Anywire.* from .*$/m, '');
});

test('every block is in a language that somebody checks', () => {
  const known = /^(rust(,no_run)?|html|js|sh|nginx)$/;
  assert.deepEqual(BLOCKS.filter(({ language }) => !known.test(language)), []);
  assert.ok(SCRIPTS.length >= 6);
});

test('every script opens a session, says hello if it says anything, and is told what comes', () => {
  for (const script of SCRIPTS.filter(opensOne)) {
    const shown = [];
    const show = (...words) => shown.push(words.join(' '));
    let scene;
    function Anywire(url, protocols, options) {
      scene = createScene({ url: new URL(url, 'ws://example.test').href, protocols, ...options });
      return scene.client;
    }
    const setTimeout = (work, ms) => scene.clock.setTimeout(work, ms);
    // It answers at once, since the scene has no turns of its own.
    const answer = { ok: true, status: 200, text: () => 'token' };
    const fetch = () => ({ then: (use) => use(answer) });
    const given = { fetch, reopen, pageToken: 'token', fetchToken: () => 'token' };
    vm.runInNewContext(script, { Anywire, show, console: { log: show }, setTimeout, ...given });
    scene.advance(1000);
    assert.equal(scene.client.readyState, 1, script);
    const said = scene.session.inbox.join();
    assert.equal(/hello/.test(said), /hello/.test(script), `${said} from ${script}`);
    scene.session.send(back(script));
    scene.advance(1000);
    assert.equal(/back/.test(shown.join()), /onmessage/.test(script), `${shown} from ${script}`);
    assert.deepEqual(scene.server.errors, []);
  }
});

const reopening = SCRIPTS.filter((script) => /onreopen/.test(script));

test('each script that follows the end begins every session alike, and hears of a final end', () => {
  assert.equal(reopening.length, 3);
  for (const script of reopening) {
    for (const [code, opened] of [[1012, 2], [4930, 2], [4931, 2], [1000, 1], [3001, 1], [4969, 1]]) {
      const scene = play(script);
      scene.advance(3000);
      scene.session.close(code, '');
      scene.advance(60000);
      const inboxes = scene.server.sessions.map(({ inbox }) => inbox);
      assert.equal(inboxes.length, opened, `after ${code}`);
      assert.deepEqual(inboxes[0], inboxes[opened - 1]);
      assert.equal(scene.client.readyState, opened === 2 ? 1 : 3);
    }
  }
});

test('the scripts that say again what was not acknowledged say it behind what they begin with', () => {
  for (const script of reopening.filter((text) => /unacknowledged/.test(text))) {
    const scene = play(script);
    scene.advance(3000);
    scene.websocket.stall();
    scene.client.send('lost');
    scene.session.ended = true;
    scene.advance(60000);
    const [[begin], after] = scene.server.sessions.map(({ inbox }) => inbox);
    assert.deepEqual(after, [begin, 'lost']);
  }
});

/** A script on a simulated network. */
function play(script) {
  let scene;
  function Anywire(url, protocols, options) {
    const given = { ...options, reopen: options.reopen === true ? reopen() : options.reopen };
    scene = createScene({ url: new URL(url, 'ws://example.test').href, protocols, ...given });
    return scene.client;
  }
  vm.runInNewContext(script, { Anywire, reopen, show() {} });
  return scene;
}

const opensOne = (script) => /new Anywire/.test(script);

/** What a server would say to a script, in the form that it understands. */
function back(script) {
  return /on\[name\]/.test(script) ? '["said","back"]' :
    /methods\[target\]/.test(script) ? '{"target":"Said","args":["back"]}' : 'back';
}

test('every other script is one', () => {
  for (const script of SCRIPTS.filter((script) => !opensOne(script))) {
    assert.doesNotThrow(() => new vm.Script(script), script);
  }
});

test('the commands name what there is', () => {
  const makefile = ['Makefile', 'crates/anywire-browser/js/package.json'].map(read).join('\n');
  const cargo = ['examples/Cargo.toml', 'examples/compare/Cargo.toml', 'tests/Cargo.toml', 'tests/fault-proxy/Cargo.toml'].map(read).join('\n');
  const lines = of('sh').flatMap(({ code }) => code.split('\n'));
  const inText = PAGES.flatMap((file) => read(file).match(/`(make|cargo run|npm run) [^`]+`/g) || []);
  const commands = lines.concat(inText.map((command) => command.slice(1, -1)));
  assert.ok(commands.length > 10);
  for (const command of commands) {
    for (const [, targets] of command.matchAll(/\bmake ((?:[a-z0-9]+ ?)+)/g)) {
      for (const target of targets.trim().split(' ')) {
        assert.match(makefile, new RegExp(`^${target}:`, 'm'), command);
      }
    }
    for (const [, name] of command.matchAll(/--(?:example|bin|test) ([\w-]+)/g)) {
      const isThere = cargo.includes(`name = "${name}"`) ||
        existsSync(path.join(root, `crates/anywire-protocol/tests/${name}.rs`));
      assert.ok(isThere, command);
    }
    for (const [, name] of command.matchAll(/npm (?:run )?(build|check|test)\b/g)) {
      assert.match(makefile, new RegExp(`^ +"${name}":`, 'm'), command);
    }
    for (const [, script] of command.matchAll(/(?:^| )(tests\/[\w./-]+\.sh)/g)) {
      assert.ok(existsSync(path.join(root, script)), command);
    }
  }
});
