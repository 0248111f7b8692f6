// Messages in parts (PROTOCOL §4.9 to §4.12), up and down, over each transport.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { ENCODINGS, isFull } from './support/builds.js';
import { createPage } from './support/page.js';
import { decodePayload } from './support/packets.js';
import { createRandom } from './support/random.js';
import { withEvents } from './support/streams.js';

const MIB = 1048576;
const seed = +process.env.SEED || Date.now() % 1e9;
console.log(`# Repeat with SEED=${seed}`);

/** Texts and bytes that cut badly, of about so many bytes. */
const textOf = (bytes) => 'aé€🦀%\u0000 \n'.repeat(Math.ceil(bytes / 15));
const bytesOf = (bytes) => Uint8Array.from({ length: bytes }, (_, i) => (i * 89 + (i >> 8)) & 255);
const plain = (data) => (typeof data === 'string' ? data : Buffer.from(data).toString('base64'));

/** The transports, each as a scene's options and the encodings that it may have. */
const TRANSPORTS = [
  ['websocket', () => ({ transports: ['websocket'] })],
  ...ENCODINGS.map((encoding) => [`poll in ${encoding}`, () => ({ transports: ['poll'], encoding })]),
  ...isFull ? [
    ['stream', () => ({ transports: ['stream', 'poll'] })],
    ['events', () => ({
      transports: ['events'], browser: (...scene) => ({ EventSource: withEvents(...scene) }),
    })],
    ['jsonp', () => ({
      transports: ['jsonp'], browser: (network) => ({ document: createPage().connect(network) }),
    })],
  ] : [],
];

function assertArrived(scene, up, down) {
  assert.deepEqual(scene.server.errors, []);
  assert.deepEqual(scene.seen.closes, []);
  assert.deepEqual(scene.session.inbox.map(plain), up.map(plain));
  assert.deepEqual(scene.seen.messages.map(plain), down.map(plain));
  assert.equal(scene.client.bufferedAmount, 0);
  assert.equal(scene.server.sessions.length, 1);
}

/** The server loses what follows the first part of a message, until what this gives is called. */
function loseTheRest(session) {
  const piece = session.piece;
  session.piece = (place, most) => (place[1] ? undefined : piece.call(session, place, most));
  return () => {
    session.piece = piece;
  };
}

for (const [name, options] of TRANSPORTS) {
  test(`large messages go in parts, both ways: ${name}`, () => {
    const scene = createScene({ ...options(), server: { answerBytes: 100000 } });
    scene.advance(1000);
    const sent = ['before', textOf(400000), bytesOf(400000), '', textOf(65536), 'behind'];
    sent.forEach((data) => scene.client.send(data));
    sent.forEach((data) => scene.session.send(data));
    scene.advance(20000);
    assertArrived(scene, sent, sent);
    assert.ok(scene.session.pieces > 14, `${scene.session.pieces} pieces`);
    assert.equal(scene.client.transport, name.split(' ')[0]);
  });

  test(`a server that cannot part has whole messages: ${name}`, () => {
    const scene = createScene({ ...options(), server: { can: [] } });
    scene.advance(1000);
    const sent = [textOf(100000), bytesOf(100000)];
    sent.forEach((data) => scene.client.send(data));
    sent.forEach((data) => scene.session.send(data));
    scene.advance(10000);
    assertArrived(scene, sent, sent);
    assert.equal(scene.session.pieces, 2);
  });

  // A form tells nothing of the close that it brings.
  (name === 'jsonp' ? test.skip : test)(`the application closes behind a message in parts: ${name}`, () => {
    const scene = createScene(options());
    scene.advance(1000);
    scene.client.send(textOf(300000));
    scene.client.close(3000, 'done');
    scene.advance(10000);
    assert.deepEqual(scene.session.inbox, [textOf(300000)]);
    assert.deepEqual(scene.seen.closes, [{ code: 3000, reason: 'done', wasClean: true }]);
    assert.deepEqual(scene.server.errors, []);
  });
}

for (const [name, options] of [...TRANSPORTS, ['websocket and poll', () => ({})]]) {
  test(`cut anew at random, and with lost and repeated exchanges, nothing is lost or comes twice: ${name}, seed ${seed}`, () => {
    for (let round = 0; round < 8; round++) {
      const random = createRandom(seed + round);
      const pick = (list) => list[Math.floor(random() * list.length)];
      let isCalm = true;
      const fate = () => (isCalm || random() < 0.85 ? 'ok' : pick(['lost', 'unanswered', 'twice']));
      const scene = createScene({
        ...options(), random,
        plan: {
          poll: fate, websocket: () => (isCalm ? 'ok' : Math.floor(random() * 3000) + 200),
          stream: () => (isCalm || random() < 0.6 ? 'ok' : `dies ${Math.floor(random() * 3000) + 200}`),
        },
        server: {
          cut: () => (random() < 0.3 ? Math.floor(random() * 20000) + 4 : Infinity), answerBytes: 30000,
          limits: { maxPartBytes: 5000, windowBytes: 50000, maxStreamBytes: 20000 },
        },
      });
      scene.advance(1000);
      isCalm = false;
      const up = [];
      const down = [];
      for (let i = 0; i < 10; i++) {
        const size = pick([10, 4000, 60000]);
        up.push(pick([textOf, bytesOf])(size));
        down.push(pick([textOf, bytesOf])(size));
        scene.client.send(up[i]);
        scene.session.send(down[i]);
        scene.advance(random() * 2000);
      }
      isCalm = true;
      scene.advance(60000);
      assertArrived(scene, up, down);
    }
  });
}

test('a message goes on where it was when another transport takes over', () => {
  const scene = createScene({ server: { answerBytes: 50000, limits: { windowBytes: 100000 } } });
  scene.advance(1000);
  const sent = [textOf(700000), bytesOf(700000)];
  for (const transport of ['websocket', 'poll', 'websocket', 'poll']) {
    sent.forEach((data) => scene.client.send(data));
    sent.forEach((data) => scene.session.send(data));
    scene.advance(130);
    scene.client.block(transport);
    scene.advance(130);
    scene.client.unblock(transport);
    scene.advance(20000);
  }
  const all = [...sent, ...sent, ...sent, ...sent];
  assertArrived(scene, all, all);
});

test('bytes that the server has are not sent again in exchanges', () => {
  let length = 0;
  const scene = createScene({
    transports: ['poll'], server: { limits: { maxPayloadBytes: 20000 } },
    plan: { poll: (body) => { length += body.length; return length > 60000 && length < 80000 ? 'lost' : 'ok'; } },
  });
  scene.advance(1000);
  length = 0;
  scene.client.send('x'.repeat(200000));
  scene.advance(60000);
  assertArrived(scene, ['x'.repeat(200000)], []);
  assert.ok(length < 300000, `${length} bytes`);
});

test('the client says what it has of an unfinished message, and once that it has none any more', () => {
  const scene = createScene({ transports: ['poll'], server: { answerBytes: 1000 } });
  scene.advance(1000);
  const acks = () => scene.network.requests.map(
    ({ body }) => decodePayload(body).find(({ letter }) => letter === 'a')?.content);
  assert.ok(acks().every((ack) => ack === undefined));
  scene.network.requests.length = 0;
  scene.session.send('x'.repeat(3500));
  scene.advance(1000);
  scene.session.send('y');
  scene.advance(1000);
  assert.deepEqual(acks(), [[0, 1000], [0, 2000], [0, 3000], [1, 0], undefined]);
});

test('on a WebSocket what is under way is bounded, so that pings pass between parts', () => {
  const scene = createScene({ transports: ['websocket'], server: { limits: { windowBytes: 200000 } } });
  scene.advance(1000);
  const { session } = scene;
  scene.client.send(textOf(MIB - 1000));
  const way = scene.websocket.sent.filter((frame) => frame.length > 1000).length;
  assert.ok(way <= 5, `${way} parts`);
  scene.session.connection.send('p', 'x');
  scene.advance(2000);
  const order = scene.websocket.sent.map((frame) => (typeof frame === 'string' ? frame.slice(0, 2) : 'b'));
  assert.ok(order.indexOf('\x10q') < order.lastIndexOf('\x10T'));
  scene.advance(10000);
  assert.equal(session.received, 1);
  assert.deepEqual(scene.server.errors, []);
});

test('bytes of parts count toward the ack that is due at once', () => {
  const scene = createScene({ transports: ['websocket'] });
  scene.advance(1000);
  scene.session.outbox.push({ letter: 't', content: 'x'.repeat(200000) });
  const place = [0, 0];
  for (let i = 0; i < 3; i++) {
    scene.session.connection.send('T', scene.session.piece(place, Infinity).content);
  }
  scene.advance(50);
  assert.ok(scene.websocket.sent.includes('\x10a0 131072'), JSON.stringify(scene.websocket.sent.slice(-2)));
});

test('an unfinished message that does not grow drops its WebSocket', () => {
  const scene = createScene({ transports: ['websocket'], server: { cut: () => 1000 } });
  scene.advance(1000);
  const { session } = scene;
  const deliver = loseTheRest(session);
  session.send('x'.repeat(3000));
  scene.advance(19500);
  assert.equal(scene.client.transport, 'websocket');
  const count = scene.client.trace.length;
  deliver();
  scene.advance(3000);
  assert.match(scene.client.trace.slice(count).map(({ result }) => result).join(), /stalled/);
  assert.deepEqual(scene.seen.messages, ['x'.repeat(3000)]);
  assert.deepEqual(scene.server.errors, []);
});

test('an exchange is not dropped whose message does not grow: it may be long on its way', () => {
  const scene = createScene({ transports: ['poll'], server: { answerBytes: 1000 } });
  scene.advance(1000);
  const { session } = scene;
  const deliver = loseTheRest(session);
  session.send('x'.repeat(3000));
  session.hasNews = () => false;
  scene.advance(23000);
  assert.equal(scene.client.transport, 'poll');
  deliver();
  delete session.hasNews;
  scene.advance(30000);
  assert.deepEqual(scene.seen.messages, ['x'.repeat(3000)]);
  assert.ok(!/stalled/.test(scene.client.trace.map(({ result }) => result).join()));
});

/** A proxy that refuses bodies beyond this. */
const limited = (most, seen = []) => ({
  poll: (body) => {
    seen.push(body.length);
    return body.length > most ? 413 : 'ok';
  },
});

for (const encoding of ENCODINGS) {
  for (const most of [100000, 8192]) {
    for (const [what, message] of [
      ['text', 'x'.repeat(MIB)], ['text that escapes make long', textOf(MIB - 20)], ['bytes', bytesOf(MIB)],
    ]) {
      test(`a path that bears ${most} bytes passes a message of 1 MiB: ${what}, ${encoding}`, () => {
        const seen = [];
        const scene = createScene({ transports: ['poll'], encoding, plan: limited(most, seen) });
        scene.advance(1000);
        scene.client.send('before');
        scene.client.send(message);
        scene.client.send('behind');
        scene.advance(60000);
        assertArrived(scene, ['before', message, 'behind'], []);
        assert.deepEqual(scene.seen.transports, ['poll'], 'the session has not moved');
        assert.ok(seen.filter((length) => length > most).length < 12, 'it keeps to what it found');
      });
    }
  }

  test(`larger bodies are tried again when the memory of shorter ones has passed: ${encoding}`, () => {
    const seen = [];
    const scene = createScene({ transports: ['poll'], encoding, plan: limited(8192, seen) });
    scene.advance(1000);
    scene.client.send('x'.repeat(100000));
    scene.advance(10000);
    assert.equal(scene.session.received, 1);
    scene.network.plan.poll = (body) => { seen.push(body.length); return 'ok'; };
    scene.advance(600000);
    seen.length = 0;
    scene.client.send('x'.repeat(1000000));
    scene.advance(10000);
    assert.equal(scene.session.received, 2);
    assert.ok(Math.max(...seen) > 300000, `${Math.max(...seen)} bytes at most`);
  });
}

test('a 413 for 8 KiB, while small bodies pass, ends with a reason', () => {
  const scene = createScene({ transports: ['poll'], plan: limited(4000) });
  scene.advance(1000);
  scene.network.plan.poll = limited(4000).poll;
  scene.client.send('x'.repeat(100000));
  scene.advance(12000);
  assert.equal(scene.seen.closes[0]?.code, 4971);
  assert.match(scene.seen.closes[0].reason, /http 413/);
});

test('the server that has no room leaves out the rest of a message, which comes after a pause', () => {
  const scene = createScene({ transports: ['poll'], server: { limits: { maxPayloadBytes: 50000 } } });
  scene.advance(1000);
  const { session } = scene;
  const message = bytesOf(300000);
  const takePiece = session.takePiece;
  let taken = 0;
  session.takePiece = (...piece) => (taken++ < 3 ? takePiece.apply(session, piece) : undefined);
  scene.client.send(message);
  scene.advance(2000);
  delete session.takePiece;
  assert.equal(session.received, 0);
  scene.advance(20000);
  assertArrived(scene, [message], []);
});

test('no message is bounded but by what the server announces', () => {
  const scene = createScene({
    transports: ['websocket'], server: { limits: { maxMessageBytes: 80000000, windowBytes: 100 } },
  });
  scene.advance(1000);
  scene.client.send(new Uint8Array(70000000));
  scene.advance(10);
  assert.deepEqual(scene.seen.closes, []);
  scene.client.send(new Uint8Array(1));
  scene.advance(10);
  assert.equal(scene.seen.closes[0]?.code, 4932);
});

test('a message that is alone makes progress, however small the window is', () => {
  const scene = createScene({ transports: ['websocket'], server: { limits: { windowBytes: 100 } } });
  scene.advance(1000);
  const sent = [textOf(200000), bytesOf(200000)];
  sent.forEach((data) => scene.client.send(data));
  scene.advance(15000);
  assertArrived(scene, sent, []);
});

for (const [what, letters, code] of [
  ['an ack of bytes that were not sent', [['a', '0 1']], 4963],
  ['more bytes than a message may have', [['T', 'x'.repeat(60)], ['T', 'x'.repeat(41)]], 4964],
  ['an end of another kind', [['T', 'x'], ['b', new Uint8Array(1)]], 4960],
]) {
  test(`a WebSocket that brings ${what} ends the session with ${code}`, () => {
    const scene = createScene({ transports: ['websocket'], server: { limits: { maxMessageBytes: 100 } } });
    scene.advance(1000);
    letters.forEach(([letter, content]) => scene.session.connection.send(letter, content));
    scene.advance(100);
    assert.equal(scene.seen.closes[0]?.code, code);
    assert.equal(scene.session.closing?.code, code, 'the server is told');
  });
}

test('a new connection has its own time to bring the rest of a message', () => {
  const scene = createScene({ server: { cut: () => 1000 } });
  scene.advance(1000);
  const { session } = scene;
  const deliver = loseTheRest(session);
  session.send('x'.repeat(3000));
  scene.advance(19000);
  scene.client.block('poll');
  scene.websocket.die(1006);
  scene.advance(4000);
  assert.equal(scene.client.transport, 'websocket');
  const count = scene.client.trace.length;
  scene.advance(14000);
  assert.equal(scene.client.trace.length, count);
  deliver();
  scene.advance(6000);
  assert.match(scene.client.trace.slice(count).map(({ result }) => result).join(), /stalled/);
  assert.deepEqual(scene.seen.messages, ['x'.repeat(3000)]);
});
