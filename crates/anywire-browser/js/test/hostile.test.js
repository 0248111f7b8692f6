// Over a network that refuses, loses, repeats, delays and cuts at random, both sides get every
// message once and in order. `SEED=7 node --test test/hostile.test.js` runs one case.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { loadScript } from './support/builds.js';
import { createRandom } from './support/random.js';

const modern = loadScript('anywire.min.js');
const full = loadScript('anywire-full.min.js');

const SEEDS = process.env.SEED ? [+process.env.SEED] : Array.from({ length: 400 }, (_, i) => i + 1);
const MESSAGES = 60;
let hasStreamed = false;

function run(seed) {
  const random = createRandom(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const isModern = seed % 2 === 0;
  const hostility = random() * 0.7;
  let isHostile = true;
  const fate = (bad) => () => (isHostile && random() < hostility ? pick(bad)() : 'ok');
  const constantly = (...fates) => fates.map((value) => () => value);
  const scene = createScene({
    Anywire: isModern ? modern : seed % 4 > 1 ? full : undefined,
    encoding: isModern ? 'auto' : pick(['text', 'binary']),
    transports: pick([
      ['websocket', 'poll'], ['websocket', 'poll'], ['poll'], ['websocket'],
      // The modern build knows no streams, and leaves them out.
      ['websocket', 'stream', 'poll'], ['stream', 'poll'],
    ]),
    connectTimeoutMs: 110000,
    backoff: { minMs: 100, maxMs: 5000 },
    random,
    server: {
      limits: { maxPingBytes: 1000, maxPayloadBytes: 2000, ackDelayMs: pick([100, 1000]), maxStreamBytes: pick([2500, 131072]) },
    },
    plan: {
      websocket: fate([
        ...constantly('throws', 'refused', 'hangs', 'silent'), () => random() * 3000,
        // Answers 101 and then kills; or goes silent without closing, at once or midway.
        () => random() * 50, () => `stalls ${random() * 1000}`,
      ]),
      stream: fate([
        ...constantly('throws', 'html', 'hangs', 502, 409),
        () => `dies ${random() * pick([50, 3000])}`,
        () => `stalls ${random() * 3000}`, () => `buffers ${Math.round(random() * 9000)}`,
      ]),
      // A page that says 404 for long ends a session, which has tests of its own.
      poll: fate(constantly('throws', 'lost', 'unanswered', 'twice', 'html', 'hangs', 502, 403)),
      latency: () => (isHostile ? random() * pick([5, 50, 500]) : 10),
    },
  });
  const { client, clock, seen, server, network } = scene;
  const up = [];
  const down = [];
  const number = (list, side) => {
    const text = `${side}${list.length} é€😀${'x'.repeat(random() < 0.1 ? 500 : 3)}`;
    list.push(text);
    return random() < 0.2 ? new TextEncoder().encode(text) : text;
  };
  const text = (data) => (typeof data === 'string' ? data : new TextDecoder().decode(data));

  for (let turn = 0; turn < 4000 && (up.length < MESSAGES || down.length < MESSAGES); turn++) {
    clock.advance(random() * 200);
    if (client.readyState !== 1) {
      assert.equal(seen.closes.length, 0, JSON.stringify(seen.closes));
      continue;
    }
    if (up.length < MESSAGES && random() < 0.3) {
      client.send(number(up, 'up'));
    }
    if (down.length < MESSAGES && random() < 0.3) {
      scene.session.send(number(down, 'down'));
    }
    if (random() < hostility * 0.1) {
      pick([
        () => network.websockets.forEach((websocket) => websocket.die(1006)),
        () => network.websockets.forEach((websocket) => websocket.stall()),
        () => {
          const transport = pick(['websocket', 'poll']);
          client.block(transport);
          clock.setTimeout(() => client.unblock(transport), random() * 5000);
        },
      ])();
    }
    scene.session.room = random() < 0.1 ? scene.session.received + 1 : Infinity;
  }
  isHostile = false;
  scene.session.room = Infinity;
  clock.advance(100000);

  assert.deepEqual(server.errors, []);
  assert.equal(up.length, MESSAGES);
  assert.deepEqual(scene.session.inbox.map(text), up);
  assert.deepEqual(seen.messages.map(text), down);
  assert.equal(server.sessions.length, 1);
  assert.equal(client.bufferedAmount, 0);
  hasStreamed = hasStreamed || seen.transports.includes('stream');

  isHostile = seed % 3 === 0;
  client.send('last');
  client.close(3001, 'done');
  clock.advance(60000);
  assert.deepEqual(seen.closes.map((close) => close.code), [3001]);
  assert.equal(isHostile || scene.session.inbox[MESSAGES] === 'last', true);
  assert.equal(client.readyState, 3);
}

for (const seed of SEEDS) {
  test(`nothing is lost, repeated or reordered: seed ${seed}`, () => run(seed));
}

test('some of them were carried by streams', { skip: SEEDS.length < 400 }, () => {
  assert.equal(hasStreamed, true);
});
