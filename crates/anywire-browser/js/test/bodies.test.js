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

/** A filter that refuses what a body says, as it is and behind escapes. */
const filtered = (word) => ({
  poll: (body) => {
    const text = typeof body === 'string' ? decodeURIComponent(body) : new TextDecoder().decode(body);
    return text.search(word) < 0 ? 'ok' : 403;
  },
});

for (const [what, plan, message] of [
  ['a message that no body bears', limited(5000), 'z'.repeat(10000)],
  ['a message that a filter does not like', filtered('<script'), 'a <script> b'],
  ['a message that a filter does not like, nor its veil', filtered(/<script|^v=/), 'a <script> b'],
]) {
  test(`${what} ends the session with a reason; until then what comes down goes on`, () => {
    const server = { can: /veil/.test(what) ? ['veil', 'part', 'leave'] : ['leave'] };
    const scene = createScene({ transports: ['poll'], plan, server });
    scene.advance(1000);
    scene.client.send('before');
    scene.advance(1000);
    scene.client.send(message);
    scene.advance(1500);
    scene.session.send('meanwhile');
    scene.advance(500);
    assert.deepEqual(scene.seen.messages, ['meanwhile']);
    assert.deepEqual(scene.seen.closes, []);
    scene.advance(8000);
    assert.equal(scene.seen.closes.length, 1);
    assert.equal(scene.seen.closes[0].code, 4971);
    assert.match(scene.seen.closes[0].reason, /http 4\d\d/);
    assert.equal(scene.session.closing.code, 4971, 'the server is told');
    assert.deepEqual(scene.seen.transports, ['poll', '']);
    assert.deepEqual(scene.session.inbox, ['before']);
    assert.deepEqual(scene.server.errors, []);
  });
}

test('a message with the open that is refused does not keep the session from opening', () => {
  const scene = createScene({ transports: ['poll'], plan: filtered('<script'), first: ['<script>'], server: { can: [] } });
  scene.advance(1000);
  assert.equal(scene.client.readyState, 1);
  scene.advance(8000);
  assert.equal(scene.seen.closes[0].code, 4971);
});

test('a filter that changes its mind lets the message through', () => {
  const plan = filtered('<script');
  const scene = createScene({ transports: ['poll'], plan, server: { can: ['part'] } });
  scene.advance(1000);
  scene.client.send('<script>');
  scene.advance(1500);
  scene.network.plan.poll = () => 'ok';
  scene.advance(3000);
  assert.deepEqual(scene.session.inbox, ['<script>']);
  assert.deepEqual(scene.seen.closes, []);
});

test('a portal that refuses everything is a failure like others', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.network.plan.poll = () => 403;
  scene.client.send('hello');
  scene.advance(20000);
  assert.equal(scene.client.transport, 'reconnecting');
  assert.deepEqual(scene.seen.closes, []);
  scene.network.plan.poll = () => 'ok';
  scene.advance(40000);
  assert.deepEqual(scene.session.inbox, ['hello']);
  assert.deepEqual(scene.seen.closes, []);
});

test('where nothing can be stored, a path that refuses long bodies is not asked for ever', () => {
  const seen = [];
  const full = new Proxy({}, { set: () => { throw new Error('full'); } });
  const scene = createScene({ transports: ['poll'], plan: limited(100000, seen), localStorage: full });
  scene.advance(1000);
  for (let i = 0; i < 300; i++) {
    scene.client.send('x'.repeat(1000));
  }
  scene.advance(3000);
  assert.equal(scene.session.received, 300);
  assert.ok(seen.length < 40, `${seen.length} requests`);
});

test('what a filter likes arrives, around what it does not', () => {
  const scene = createScene({ transports: ['poll'], plan: filtered('<script'), server: { can: ['part'] } });
  scene.advance(1000);
  const sent = Array.from({ length: 9 }, (_, i) => `fine ${i}`);
  [...sent, '<script>', 'behind'].forEach((text) => scene.client.send(text));
  scene.advance(12000);
  assert.deepEqual(scene.session.inbox, sent);
  assert.equal(scene.seen.closes[0].code, 4971);
});

test('a refused hold is a failure of the leg, whatever was sent before', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.client.send('hello');
  scene.advance(1000);
  scene.network.plan.poll = () => 403;
  scene.session.send('the hold ends');
  scene.advance(3000);
  assert.equal(scene.client.transport, 'reconnecting');
  scene.network.plan.poll = () => 'ok';
  scene.advance(40000);
  assert.equal(scene.client.transport, 'poll');
  assert.deepEqual(scene.session.inbox, ['hello']);
  assert.deepEqual(scene.server.errors, []);
});

const isVeiled = (body) => /^v=/.test(body);
const veiledOf = ({ network }) => network.requests.splice(0).map(({ body }) => isVeiled(body)).filter(Boolean).length;

for (const encoding of ENCODINGS) {
  test(`what a filter does not like goes veiled at once, and for ten minutes what follows: ${encoding}`, () => {
    const localStorage = {};
    const options = { transports: ['poll'], encoding, localStorage };
    const scene = createScene({ ...options, plan: filtered('<script') });
    scene.advance(1000);
    scene.client.send('before');
    scene.advance(100);
    assert.equal(veiledOf(scene), 0);
    scene.client.send('a <script> b');
    scene.advance(150);
    assert.deepEqual(scene.session.inbox, ['before', 'a <script> b']);
    assert.equal(veiledOf(scene), 1);
    scene.client.send(new Uint8Array([1, 2, 3]));
    scene.session.send('down');
    scene.advance(150);
    assert.equal(veiledOf(scene), 1, 'and the holds are not');
    assert.deepEqual(scene.seen.messages, ['down']);
    const other = createScene({ ...options, plan: filtered('<script') });
    other.advance(1000);
    other.client.send('<script>');
    other.advance(100);
    assert.equal(veiledOf(other), 1);
    assert.equal(other.client.trace.filter(({ result }) => /403/.test(result)).length, 0);
    scene.advance(600000);
    veiledOf(scene);
    scene.client.send('fine');
    scene.advance(100);
    assert.equal(veiledOf(scene), 0);
    assert.deepEqual(scene.session.inbox.length, 4);
    for (const { server, seen } of [scene, other]) {
      assert.deepEqual(server.errors, []);
      assert.deepEqual(seen.transports, ['poll']);
    }
  });
}

test('each veil has a mask of its own', () => {
  const scene = createScene({ transports: ['poll'], plan: filtered('<script') });
  scene.advance(1000);
  for (let i = 0; i < 5; i++) {
    scene.client.send('<script>');
    scene.advance(100);
  }
  const masks = scene.network.requests.map(({ body }) => body).filter(isVeiled).map((body) => body.slice(0, 7));
  assert.equal(masks.length, 5);
  assert.equal(new Set(masks).size, 5);
});

test('a large message that a filter does not like goes in veiled parts, on a path that refuses long bodies', () => {
  const scene = createScene({
    transports: ['poll'], plan: {
      poll: (body) => (body.length > 20000 ? 413 : filtered('<script').poll(body)),
    },
  });
  scene.advance(1000);
  const message = '<script> '.repeat(20000);
  scene.client.send(message);
  scene.advance(10000);
  assert.deepEqual(scene.session.inbox, [message]);
  assert.deepEqual(scene.server.errors, []);
  assert.deepEqual(scene.seen.transports, ['poll']);
});

test('a server that knows no veil gets none', () => {
  const scene = createScene({ transports: ['poll'], plan: filtered('<script'), server: { can: ['part'] } });
  scene.advance(1000);
  scene.client.send('<script>');
  scene.advance(10000);
  assert.equal(veiledOf(scene), 0);
  assert.equal(scene.seen.closes[0].code, 4971);
});
