// The public object is a WebSocket to whoever holds it.

import { test } from 'node:test';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { createScene } from './support/scene.js';
import { Anywire } from './support/builds.js';
import { resolveEndpoints } from '../src/endpoint.js';
import { engine, load } from './support/engine.js';

const require = createRequire(import.meta.url);
const dist = (file) => path.join(import.meta.dirname, '../dist', file);

test('it has the constants of a WebSocket, on both', () => {
  const { client } = createScene();
  for (const holder of [Anywire, client]) {
    assert.deepEqual(
      [holder.CONNECTING, holder.OPEN, holder.CLOSING, holder.CLOSED], [0, 1, 2, 3]);
  }
  assert.ok(client instanceof Anywire);
  assert.equal(client.constructor, Anywire);
});

test('it has the state of a WebSocket', () => {
  const scene = createScene({ url: 'https://example.test/anywire?token=1' });
  const { client } = scene;
  assert.equal(client.url, 'wss://example.test/anywire?token=1');
  assert.equal(client.readyState, 0);
  assert.equal(client.protocol, '');
  assert.equal(client.extensions, '');
  assert.equal(client.transport, '');
  assert.equal(client.bufferedAmount, 0);
  scene.advance(100);
  assert.equal(client.readyState, 1);
  assert.equal(scene.websocket.url, 'wss://example.test/anywire/websocket?token=1');
});

test('the endpoints follow from the mount', () => {
  const cases = {
    'ws://h/anywire': ['ws://h/anywire', 'ws://h/anywire/websocket', 'http://h/anywire/poll'],
    'wss://h:8443/a/': ['wss://h:8443/a/', 'wss://h:8443/a/websocket', 'https://h:8443/a/poll'],
    'http://h/a/websocket?q=/x': [
      'ws://h/a/websocket?q=/x', 'ws://h/a/websocket?q=/x', 'http://h/a/poll?q=/x',
    ],
    'https://h': ['wss://h/', 'wss://h/websocket', 'https://h/poll'],
    'ws://h/WebSocket': ['ws://h/WebSocket', 'ws://h/WebSocket/websocket', 'http://h/WebSocket/poll'],
  };
  for (const [url, [own, websocket, poll]] of Object.entries(cases)) {
    const endpoints = resolveEndpoints(url);
    assert.deepEqual([endpoints.url, endpoints.websocket, endpoints.poll], [own, websocket, poll]);
  }
});

test('a relative URL belongs to the page', () => {
  globalThis.location = new URL('https://page.test/dir/index.html');
  try {
    assert.equal(resolveEndpoints('/anywire').poll, 'https://page.test/anywire/poll');
    assert.equal(resolveEndpoints('live').websocket, 'wss://page.test/dir/live/websocket');
  } finally {
    delete globalThis.location;
  }
});

test('a browser without URL resolves with a link', () => {
  const document = {
    createElement: () => ({
      set href(value) { this.value = /^\w+:/.test(value) ? value : `http://page.test${value}`; },
      get href() { return this.value; },
    }),
  };
  const { resolveEndpoints } = load(engine({ URL: undefined, document }));
  assert.equal(resolveEndpoints('/anywire').poll, 'http://page.test/anywire/poll');
  // Its links take anything, and write a query in the document's charset.
  assert.equal(resolveEndpoints('/a?q=€').poll, 'http://page.test/a/poll?q=%E2%82%AC');
  for (const url of ['ws://localhost:99999/', 'ws://[::1/', 'ws://h h/', 'ftp://h/', 'ws://h/#', 'ws://h/a#b', 'ws://']) {
    assert.throws(() => resolveEndpoints(url), { name: 'SyntaxError' }, url);
  }
});

test('sub-protocols are what WebSocket takes for a sequence, or one', () => {
  const offered = (protocols) => createScene({ protocols }).websocket.protocols.slice(3);
  assert.deepEqual(offered(new Set(['a', 'b'])), ['a', 'b']);
  assert.deepEqual(offered((function* () { yield 'a'; yield 1; })()), ['a', '1']);
  assert.deepEqual(offered(['a']), ['a']);
  assert.deepEqual(offered('a'), ['a']);
  assert.deepEqual(offered([]), []);
  assert.throws(() => offered({}), { name: 'SyntaxError' });
});

test('wrong arguments throw what a WebSocket throws', () => {
  for (const url of ['ftp://h/', 'ws://localhost:99999/', 'ws://[::1/', 'ws://h h/', 'ws://h/#', 'ws://h/a#b', 'ws://']) {
    assert.throws(() => new Anywire(url), { name: 'SyntaxError' }, url);
  }
  assert.throws(() => new Anywire(), TypeError);
  assert.throws(() => Anywire('ws://h/'), TypeError);
  assert.throws(() => Anywire.call({}, 'ws://h/'), TypeError);
  for (const protocols of ['', 'a b', ['a', 'a'], 'anywire.v1', 'é']) {
    assert.throws(() => new Anywire('ws://h/', protocols), { name: 'SyntaxError' });
  }
  const scene = createScene();
  assert.throws(() => scene.client.send('early'), { name: 'InvalidStateError' });
  scene.advance(100);
  for (const code of [0, 999, 1001, 1005, 2999, 4900, 4999, 5000, NaN, 'x']) {
    assert.throws(() => scene.client.close(code), { name: 'InvalidAccessError' });
  }
  assert.throws(() => scene.client.close(1000, '€'.repeat(42)), { name: 'SyntaxError' });
  assert.equal(scene.client.readyState, 1);
  scene.client.close(1000, '€'.repeat(41));
  assert.equal(scene.client.readyState, 2);
});

test('events have the members of the real ones', () => {
  const scene = createScene();
  const events = {};
  for (const type of ['open', 'message', 'error', 'close', 'transport']) {
    scene.client[`on${type}`] = function (event) {
      assert.equal(this, scene.client);
      assert.equal(event.type, type);
      assert.equal(event.target, scene.client);
      assert.equal(event.currentTarget, scene.client);
      events[type] = event;
    };
  }
  scene.advance(100);
  scene.session.send('data');
  scene.session.close(4966, 'no');
  scene.advance(1000);
  assert.equal(events.message.data, 'data');
  assert.equal(events.message.origin, 'ws://example.test');
  assert.equal(events.message.lastEventId, '');
  assert.equal(events.transport.previous, 'websocket');
  assert.equal(events.transport.transport, '');
  assert.equal(events.close.code, 4966);
  assert.equal(events.close.reason, 'no');
  assert.equal(events.close.wasClean, false);
  assert.ok(events.open && events.error);
});

test('an error is told where the session never opened or the same would happen again', () => {
  const cases = [[4321, 0], [1012, 0], [4903, 0], [4930, 0], [4933, 0], [4960, 1], [4966, 1]];
  for (const [code, count] of cases) {
    const scene = createScene();
    scene.advance(100);
    scene.session.close(code, '');
    scene.advance(1000);
    assert.deepEqual(scene.seen.closes, [{ code, reason: '', wasClean: code < 4900 }]);
    assert.equal(scene.seen.events.filter((type) => type === 'error').length, count, String(code));
  }
  const refused = createScene({ transports: ['poll'] });
  refused.server.refuse = { status: 404, code: 4930 };
  refused.advance(1000);
  assert.deepEqual(refused.seen.events, ['error', 'close']);
});

test('listeners are added once, removed, called once if asked, and may be objects', () => {
  const scene = createScene();
  const calls = [];
  const listener = () => calls.push('listener');
  const removed = () => calls.push('removed');
  scene.client.addEventListener('message', listener);
  scene.client.addEventListener('message', listener);
  scene.client.addEventListener('message', () => calls.push('once'), { once: true });
  scene.client.addEventListener('message', { handleEvent: () => calls.push('object') });
  scene.client.addEventListener('message', removed);
  scene.client.removeEventListener('message', removed);
  scene.client.addEventListener('message', null);
  scene.client.removeEventListener('nothing', removed);
  scene.client.dispatchEvent(new Event('message'));
  scene.client.dispatchEvent(new Event('message'));
  assert.deepEqual(calls, ['listener', 'once', 'object', 'listener', 'object']);
});

test('no callback comes before the caller had a turn', () => {
  const scene = createScene({
    plan: { websocket: () => 'throws', poll: () => 'throws' }, connectTimeoutMs: 0,
  });
  assert.deepEqual(scene.seen.events, []);
  assert.equal(scene.client.readyState, 0);
});

test('a handler that throws does not break the session, and its error is not hidden', async () => {
  const scene = createScene();
  const hidden = new Error('from a handler');
  const thrown = new Promise((resolve) => {
    process.setUncaughtExceptionCaptureCallback(resolve);
  });
  scene.client.onmessage = () => {
    throw hidden;
  };
  scene.advance(100);
  scene.session.send('a');
  scene.session.send('b');
  scene.advance(100);
  assert.equal(await thrown, hidden);
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.setUncaughtExceptionCaptureCallback(null);
  assert.deepEqual(scene.seen.messages, ['a', 'b']);
  assert.equal(scene.client.readyState, 1);
});

test('bufferedAmount counts what is not acknowledged, and what is sent too late', () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.send('€€');
  scene.client.send(new Uint8Array(3));
  assert.equal(scene.client.bufferedAmount, 9);
  scene.advance(2000);
  assert.equal(scene.client.bufferedAmount, 0);
  scene.client.close();
  scene.client.send('late');
  assert.equal(scene.client.bufferedAmount, 4);
  scene.advance(1000);
  assert.deepEqual(scene.session.inbox.length, 2);
});

test('cookies go along, unless told not to', () => {
  const withCookies = createScene({ transports: ['poll'] });
  withCookies.advance(100);
  assert.equal(withCookies.network.requests[0].withCredentials, true);
  const without = createScene({ transports: ['poll'], withCredentials: false });
  without.advance(100);
  assert.equal(without.network.requests[0].withCredentials, false);
});

for (const file of ['anywire.js', 'anywire.min.js', 'anywire-full.js', 'anywire-full.min.js']) {
  test(`${file} is one global in a page${/min/.test(file) ? '' : ', and a module elsewhere'}`, () => {
    const page = { EventTarget };
    page.self = page;
    const before = Object.keys(page);
    vm.runInNewContext(readFileSync(dist(file), 'utf8'), page);
    assert.deepEqual(Object.keys(page).filter((name) => !before.includes(name)), ['Anywire']);
    assert.equal(typeof page.Anywire, 'function');
    if (!/min/.test(file)) {
      assert.equal(typeof require(dist(file)), 'function');
    }
  });
}
