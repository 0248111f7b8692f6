// Slow lines, full servers, proxies that end holds, browsers that fail.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { Clock } from './support/clock.js';
import { resolveEndpoints } from '../src/endpoint.js';
import { createTimer } from '../src/timers.js';
import { testFull } from './support/builds.js';
import { engine, load } from './support/engine.js';
import { decodePayload } from './support/packets.js';

const always = (fate) => () => fate;
const last = (list) => list[list.length - 1];
const polling = (options) => {
  const scene = createScene({ transports: ['poll'], ...options });
  scene.advance(100);
  return scene;
};

test('a WebSocket that takes bytes is slow, and is not left', () => {
  const scene = createScene();
  scene.advance(100);
  scene.websocket.stall();
  scene.websocket.bufferedAmount = 20000;
  scene.client.send('x');
  for (let i = 0; i < 15; i++) {
    scene.advance(1900);
    scene.websocket.bufferedAmount -= 1000;
  }
  assert.equal(scene.network.requests.length, 0);
  assert.equal(scene.client.transport, 'websocket');
  scene.advance(6500);
  assert.ok(scene.seen.transports.includes('poll'));
});

test('an upload that makes progress is not given up', () => {
  const scene = polling();
  scene.network.plan.poll = always('hangs');
  scene.client.send('x'.repeat(3000));
  scene.advance(10);
  const request = last(scene.network.requests);
  for (let i = 0; i < 3; i++) {
    scene.advance(10000);
    request.upload.onprogress();
  }
  assert.equal(request.isAborted, undefined);
});

test('after a failure less goes in a request, down to one message', () => {
  const scene = polling();
  scene.network.plan.poll = always(502);
  const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(1000));
  texts.forEach((text) => scene.client.send(text));
  scene.advance(30000);
  const count = ({ body }) => decodePayload(body).filter(({ letter }) => /t/i.test(letter)).length;
  assert.equal(count(last(scene.network.requests)), 1);
  scene.network.plan.poll = always('ok');
  scene.advance(40000);
  assert.deepEqual(scene.session.inbox, texts);
});

test('holds that end at once are followed by a pause, also where the server holds nothing', () => {
  const scene = polling({ server: { limits: { holdMs: 0 } } });
  scene.advance(10000);
  assert.ok(scene.network.requests.length < 14, `${scene.network.requests.length}`);
  scene.session.send('down');
  scene.advance(1500);
  assert.deepEqual(scene.seen.messages, ['down']);
});

test('an error of the browser\'s loses no message and does not stop the polling', () => {
  const scene = polling();
  // What makes the application's data of it fails once, as making a Blob may.
  const { binaryType } = scene.client;
  Object.defineProperty(scene.client, 'binaryType', {
    get() { throw new TypeError('Illegal constructor'); }, configurable: true,
  });
  scene.session.send(new Uint8Array([1]));
  assert.throws(() => scene.advance(100), /Illegal/);
  Object.defineProperty(scene.client, 'binaryType', { value: binaryType, writable: true });
  scene.advance(3000);
  assert.equal(scene.seen.messages.length, 1);
});

testFull('where no Blob can be made, bytes come as they are', () => {
  const { Anywire } = load(engine({
    Blob: class { constructor() { throw new TypeError('Illegal constructor'); } },
  }));
  const client = new Anywire('ws://h/', [], { transports: [], setTimeout() {} });
  assert.equal(client.binaryType, 'arraybuffer');
});

test('a full inbox takes a close later, and is asked more and more seldom', () => {
  const scene = polling();
  scene.session.room = 0;
  scene.client.send('x');
  scene.advance(20000);
  assert.ok(scene.network.requests.length < 12, `${scene.network.requests.length}`);
  const { take } = scene.session;
  scene.session.room = Infinity;
  scene.advance(6000);
  scene.session.take = (packets) =>
    take.call(scene.session, packets.filter(({ letter }) => letter !== 'c'));
  scene.client.close(3000);
  scene.advance(100);
  scene.session.take = take;
  scene.advance(2000);
  assert.deepEqual(scene.seen.closes, [{ code: 3000, reason: '', wasClean: true }]);
});

test('a close leaves at once also while the rest waits for a full inbox', () => {
  const scene = polling();
  scene.session.room = 0;
  scene.client.send('x');
  scene.advance(30000);
  scene.session.room = Infinity;
  const { length } = scene.network.requests;
  scene.client.close(3000);
  assert.equal(scene.network.requests.length, length + 1);
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, ['x']);
  assert.deepEqual(scene.seen.closes, [{ code: 3000, reason: '', wasClean: true }]);
});

test('the resume window begins when the loss is noticed', () => {
  const scene = createScene();
  scene.advance(100);
  scene.clock.time += 3600000;
  scene.network.plan.poll = always('lost');
  scene.network.plan.websocket = always('refused');
  scene.websocket.die(1006);
  scene.advance(60000);
  assert.equal(scene.client.readyState, 1);
});

test('nothing follows a message that was dropped', () => {
  const scene = createScene({ server: { limits: { maxMessageBytes: 10 } } });
  scene.advance(100);
  scene.client.send('longer than ten bytes');
  scene.client.send('next');
  scene.client.close();
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, []);
  assert.deepEqual(scene.seen.closes.map(({ code }) => code), [4964]);
});

test('an open without an answer is soon repeated', () => {
  let count = 0;
  const scene = polling({ plan: { poll: () => (count++ ? 'ok' : 'hangs') } });
  scene.advance(10000);
  assert.equal(scene.client.transport, 'poll');
});

test('a proxy that ends holds after 10 s is asked for shorter ones', () => {
  const scene = polling();
  const { poll } = scene.server;
  scene.server.poll = (type, body, reply) => {
    const timer = scene.clock.setTimeout(() => reply(504, '<html>'), 10000);
    poll.call(scene.server, type, body, (...answer) => {
      scene.clock.clearTimeout(timer);
      reply(...answer);
    });
  };
  scene.advance(300000);
  const lost = scene.client.trace.filter(({ result }) => result === 'refused http 504');
  assert.ok(lost.length > 0 && lost.length < 5, `${lost.length}`);
});

test('a timer never exceeds what browsers take', () => {
  const clock = new Clock();
  let asked;
  clock.setTimeout = (callback, ms) => { asked = ms; };
  createTimer(clock, () => {}).set_(1e10);
  assert.equal(asked, 1e9);
});

test('an expiry while closing has the page\'s code, a refusal without words no reason', () => {
  const scene = createScene({ server: { limits: { resumeWindowMs: 3000 } } });
  scene.advance(100);
  scene.network.plan.poll = always('lost');
  scene.network.plan.websocket = always('refused');
  scene.client.close(3001, 'mine');
  scene.websocket.die(1006);
  scene.advance(4000);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: false }]);
  const refused = polling();
  refused.network.plan.poll = always('hangs');
  refused.session.send('down');
  refused.advance(100);
  last(refused.network.requests).finish(404, '{"code":4930}');
  refused.advance(0);
  assert.deepEqual(refused.seen.closes, [{ code: 4930, reason: '', wasClean: false }]);
});

test('a close while polling leaves in the same turn', () => {
  const scene = polling();
  scene.client.close(3000);
  assert.equal(last(decodePayload(last(scene.network.requests).body)).letter, 'c');
});

testFull('a response that cannot be read is a failure', () => {
  const scene = polling({ encoding: 'text' });
  Object.defineProperty(last(scene.network.requests), 'responseText', {
    get() { throw new Error('not available'); }, set() {},
  });
  scene.session.send('down');
  scene.advance(3000);
  assert.deepEqual(scene.seen.messages, ['down']);
});

test('the surface forgives what a WebSocket forgives', () => {
  const scene = createScene({ protocols: null });
  assert.deepEqual(scene.websocket.protocols.slice(3), ['null']);
  scene.advance(100);
  scene.client.block('other');
  assert.equal(scene.client.transport, 'websocket');
  const calls = [];
  const third = () => calls.push(3);
  const first = () => { calls.push(1); scene.client.removeEventListener('x', third); };
  scene.client.addEventListener('x', first);
  scene.client.addEventListener('x', () => calls.push(2));
  scene.client.addEventListener('x', third);
  scene.client.addEventListener('x', first);
  scene.client.dispatchEvent(new Event('x'));
  assert.deepEqual(calls, [1, 2]);
  scene.client.close(1000.4);
  assert.equal(scene.client.readyState, 2);
});

test('a wrong path is told within two seconds, with its status and address', () => {
  for (const status of [404, 405, 501]) {
    const scene = createScene({
      url: 'ws://example.test/wrong?token=secret', plan: { websocket: always('refused'), poll: always(status) },
    });
    scene.advance(2000);
    const reason = `${status}: no Anywire at http://example.test/wrong/poll`;
    assert.deepEqual(scene.seen.closes, [{ code: 1006, reason, wasClean: false }]);
    assert.deepEqual(scene.seen.events, ['error', 'close']);
  }
});

test('a session whose server is gone, and whose proxy shows a page, is at an end within 20 s', () => {
  for (const transports of [['websocket', 'poll'], ['poll']]) {
    const scene = createScene({ transports });
    scene.advance(1000);
    scene.network.plan.websocket = always('refused');
    scene.network.plan.poll = always(404);
    scene.websocket?.die(1006);
    scene.session.send('lost');
    scene.advance(14000);
    assert.deepEqual(scene.seen.closes, [], 'it may come back');
    scene.advance(6000);
    assert.deepEqual(scene.seen.closes.map(({ code }) => code), [4930]);
    assert.match(scene.seen.closes[0].reason, /^404: no Anywire at /);
  }
});

test('a page that is shown for less long is borne', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.network.plan.poll = always(404);
  scene.session.send('late');
  scene.advance(10000);
  scene.network.plan.poll = always('ok');
  scene.advance(30000);
  assert.deepEqual(scene.seen.closes, []);
  assert.deepEqual(scene.seen.messages, ['late']);
});

test('an engine that has no transport says so', () => {
  const scene = createScene({ WebSocket: null, XMLHttpRequest: null, transports: ['websocket', 'poll'] });
  scene.advance(10);
  const reason = 'no WebSocket here';
  assert.deepEqual(scene.seen.closes, [{ code: 1006, reason, wasClean: false }]);
});
