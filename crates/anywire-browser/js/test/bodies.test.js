// Paths that refuse long bodies (PROTOCOL §6.7).

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { ENCODINGS } from './support/builds.js';

/** A proxy that refuses bodies beyond this, as nginx does. */
const limited = (most, seen = []) => ({
  poll: (body) => {
    const length = body.length ?? body.byteLength;
    seen.push(length);
    return length > most ? 413 : 'ok';
  },
});

for (const encoding of ENCODINGS) {
  const polling = (plan, options) => createScene({ transports: ['poll'], encoding, plan, ...options });

  test(`what a path refuses as too long goes in shorter bodies at once: ${encoding}`, () => {
    const scene = polling(limited(100000));
    scene.advance(1000);
    const sent = Array.from({ length: 300 }, (_, i) => `${i} ${'é'.repeat(500)}`);
    sent.forEach((text) => scene.client.send(text));
    scene.advance(1500);
    assert.deepEqual(scene.session.inbox, sent);
    assert.deepEqual(scene.seen.transports, ['poll'], 'the session has not moved');
    assert.deepEqual(scene.server.errors, []);
  });

  test(`the first exchange is shortened too: ${encoding}`, () => {
    const first = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(1000)}`);
    const scene = polling(limited(30000), { first });
    scene.advance(1500);
    assert.deepEqual(scene.session.inbox, first);
    assert.deepEqual(scene.seen.transports, ['poll']);
  });

  test(`it is remembered for the origin, and tried again later: ${encoding}`, () => {
    const localStorage = {};
    const seen = [];
    const scene = polling(limited(20000, seen), { localStorage });
    const burst = () => {
      for (let i = 0; i < 40; i++) {
        scene.client.send('y'.repeat(1000));
      }
      scene.advance(2000);
      return seen.splice(0).filter((length) => length > 20000).length;
    };
    scene.advance(1000);
    seen.splice(0);
    assert.ok(burst() > 0, 'it finds out');
    assert.equal(burst(), 0, 'and keeps to it');
    const [until] = Object.entries(localStorage).filter(([name]) => /bytes$/.test(name));
    assert.ok(until, JSON.stringify(localStorage));
    scene.advance(600000);
    seen.splice(0);
    assert.ok(burst() > 0, 'it tries again');
    assert.equal(scene.session.received, 120);
    assert.deepEqual(scene.seen.transports, ['poll']);
  });
}

test('a message that no body bears is a failure like others', () => {
  const scene = createScene({ transports: ['poll'], plan: limited(5000) });
  scene.advance(1000);
  scene.client.send('z'.repeat(10000));
  scene.advance(3000);
  assert.ok(scene.seen.transports.includes('reconnecting'));
  assert.ok(scene.network.requests.length < 12, `${scene.network.requests.length} requests`);
});
