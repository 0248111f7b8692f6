// How messages travel: kinds, acks, batches, limits.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { ENCODINGS, testFull } from './support/builds.js';
import { engine, load } from './support/engine.js';
import { decodePayload, encodePayload } from './support/packets.js';

const CARRIERS = [
  { transports: ['websocket'] },
  ...ENCODINGS.map((encoding) => ({ transports: ['poll'], encoding })),
];

const acks = (scene) =>
  scene.websocket.sent.filter((frame) => typeof frame === 'string' && frame.startsWith('\x10a'));
const sends = (scene) =>
  scene.network.requests.map((request) => decodePayload(request.body))
    .filter((packets) => packets.some(({ letter }) => letter === 't'));

for (const carrier of CARRIERS) {
  const name = `${carrier.transports[0]} ${carrier.encoding || ''}`;

  test(`every kind of message comes back the same: ${name}`, () => {
    const messages = [
      '', 'a', '\x10', '\x10\x10', '\x10a5', '\u0000', '\uFEFFbom', 'é€😀', 'e\u0301',
      'x'.repeat(70000),
      new Uint8Array(0), new Uint8Array([0, 1, 255, 16]), new Uint8Array(70000).fill(7),
    ];
    const scene = createScene({ ...carrier });
    scene.advance(1000);
    for (const message of messages) {
      scene.client.send(message);
    }
    scene.advance(2000);
    assert.deepEqual(scene.session.inbox, messages);
    scene.session.inbox.forEach((message) => scene.session.send(message));
    scene.advance(2000);
    assert.deepEqual(
      scene.seen.messages.map((data) => (typeof data === 'string' ? data : new Uint8Array(data))),
      messages);
    assert.equal(scene.client.bufferedAmount, 0);
    assert.deepEqual(scene.server.errors, []);
  });

  test(`lone surrogates become U+FFFD: ${name}`, () => {
    const scene = createScene({ ...carrier });
    scene.advance(1000);
    scene.client.send('a\uD83Db\uDE00\uD83D\uDE00');
    scene.advance(1000);
    assert.deepEqual(scene.session.inbox, ['a\uFFFDb\uFFFD😀']);
  });

  test(`every kind of buffer can be sent, and reused at once: ${name}`, async () => {
    const scene = createScene({ ...carrier });
    scene.advance(1000);
    const bytes = new Uint8Array([1, 2, 3, 4]);
    scene.client.send(bytes);
    scene.client.send(bytes.buffer);
    scene.client.send(new Uint16Array(bytes.buffer, 2, 1));
    scene.client.send(new DataView(bytes.buffer, 1, 2));
    bytes.fill(0);
    scene.client.send(5);
    scene.client.send(null);
    scene.advance(2000);
    const [whole, buffer, words, view, ...texts] = scene.session.inbox;
    assert.deepEqual([...whole], [1, 2, 3, 4]);
    assert.deepEqual([...buffer], [1, 2, 3, 4]);
    assert.deepEqual([...words], [3, 4]);
    assert.deepEqual([...view], [2, 3]);
    assert.deepEqual(texts, ['5', 'null']);
  });
}

test('a Blob keeps its place, also before a close', async () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.send('before');
  scene.client.send(new Blob(['blob']));
  scene.client.send('after');
  assert.equal(scene.client.bufferedAmount, 15);
  scene.client.close(3000);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  scene.advance(1000);
  assert.equal(scene.session.inbox[0], 'before');
  assert.equal(Buffer.from(scene.session.inbox[1]).toString(), 'blob');
  assert.equal(scene.session.inbox[2], 'after');
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [3000]);
});

test('what is like a Blob and is none goes as text', () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.send(new Response('x'));
  scene.client.send('after');
  scene.advance(100);
  assert.deepEqual(scene.session.inbox, ['[object Response]', 'after']);
});

/** A Blob whose bytes come when the test says so. */
function slowBlob(text) {
  const blob = new Blob([text]);
  const loaded = new Promise((resolve) => { blob.finish = resolve; });
  blob.arrayBuffer = () => loaded.then(() => new TextEncoder().encode(text).buffer);
  return blob;
}

test('a close waits for a Blob as long as it is read', async () => {
  const scene = createScene();
  const blob = slowBlob('blob');
  scene.advance(100);
  scene.client.send(blob);
  scene.client.send('after');
  scene.client.close(3001);
  scene.advance(60000);
  assert.deepEqual(scene.seen.closes, []);
  blob.finish();
  await new Promise(setImmediate);
  scene.advance(1000);
  assert.equal(Buffer.from(scene.session.inbox[0]).toString(), 'blob');
  assert.equal(scene.session.inbox[1], 'after');
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [3001]);
});

test('a Blob that is read after the end goes nowhere', async () => {
  const scene = createScene();
  const blob = slowBlob('blob');
  scene.advance(100);
  scene.client.send(blob);
  scene.session.close(3002, '');
  scene.advance(100);
  const { length } = scene.websocket.sent;
  blob.finish();
  await new Promise(setImmediate);
  assert.equal(scene.websocket.sent.length, length);
  assert.equal(scene.clock.due.length, 0, 'no timer is left');
});

test('a Blob that cannot be read ends the session', async () => {
  const scene = createScene();
  scene.advance(100);
  const blob = new Blob(['blob']);
  blob.arrayBuffer = () => Promise.reject(new Error('not readable'));
  scene.client.send(blob);
  await new Promise(setImmediate);
  scene.advance(1000);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [1011]);
  assert.equal(scene.session.closing.code, 1011);
});

test('binary messages come as Blobs, unless asked otherwise', async () => {
  const scene = createScene();
  scene.client.binaryType = 'blob';
  scene.advance(100);
  scene.session.send(new Uint8Array([1, 2]));
  scene.advance(100);
  assert.ok(scene.seen.messages[0] instanceof Blob);
  assert.deepEqual([...new Uint8Array(await scene.seen.messages[0].arrayBuffer())], [1, 2]);
});

testFull('without encoders payloads are text', () => {
  const { Anywire } = load(engine({ TextEncoder: undefined }));
  const scene = createScene({ Anywire, transports: ['poll'] });
  scene.advance(100);
  assert.equal(typeof scene.network.requests[0].body, 'string');
  assert.match(scene.network.requests[0].headers['content-type'], /^text\/plain/);
});

test('a received message is acknowledged within ackDelayMs', () => {
  const scene = createScene();
  scene.advance(100);
  scene.session.send('a');
  scene.session.send('b');
  scene.advance(900);
  assert.deepEqual(acks(scene), []);
  scene.advance(200);
  assert.deepEqual(acks(scene), ['\x10a2']);
  scene.advance(10000);
  assert.equal(acks(scene).length, 1);
});

test('128 messages, or 131,072 bytes, are acknowledged at once', () => {
  const scene = createScene();
  scene.advance(100);
  for (let i = 0; i < 128; i++) {
    scene.session.send('m');
  }
  scene.advance(30);
  assert.deepEqual(acks(scene), ['\x10a128']);
  scene.session.send('x'.repeat(131072));
  scene.advance(30);
  assert.deepEqual(acks(scene), ['\x10a128', '\x10a129']);
});

test('an ack that is due goes with a pong', () => {
  const scene = createScene({ server: { limits: { heartbeatMs: 500 } } });
  scene.advance(400);
  scene.session.send('a');
  scene.advance(200);
  assert.deepEqual(acks(scene), ['\x10a1']);
});

test('where timers are late, a message brings the ack that was due', () => {
  const scene = createScene({ lateMs: () => 60000 });
  scene.advance(100);
  scene.session.send('a');
  scene.advance(5000);
  assert.deepEqual(acks(scene), []);
  scene.session.send('b');
  scene.advance(30);
  assert.deepEqual(acks(scene), ['\x10a2']);
});

test('all that is sent in one turn goes in one request', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  for (let i = 0; i < 10; i++) {
    scene.client.send(`${i}`);
  }
  scene.advance(1000);
  assert.equal(sends(scene).length, 1);
  assert.equal(scene.session.inbox.length, 10);
});

test('one request is held and one sends, at most', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  let most = 0;
  for (let i = 0; i < 200; i++) {
    scene.client.send(`${i}`);
    scene.session.send(`${i}`);
    scene.advance(7);
    const open = scene.network.requests.filter((r) => r.readyState !== 4 && !r.isAborted);
    most = Math.max(most, open.length);
  }
  scene.advance(2000);
  assert.equal(most, 2);
  assert.equal(scene.session.inbox.length, 200);
  assert.equal(scene.seen.messages.length, 200);
});

for (const encoding of ENCODINGS) {
  test(`requests hold at most maxPayloadBytes and 1,024 packets: ${encoding}`, () => {
    const scene = createScene({
      transports: ['poll'], encoding,
      server: { limits: { maxPingBytes: 1000, maxPayloadBytes: 10000 } },
    });
    scene.advance(100);
    const sent = [];
    for (let i = 0; i < 3000; i++) {
      const message = i < 1500 ? '' : i % 3 ? '€'.repeat(i % 50) : new Uint8Array(i % 600);
      sent.push(message);
      scene.client.send(message);
    }
    scene.advance(20000);
    assert.deepEqual(scene.session.inbox, sent);
    assert.deepEqual(scene.server.errors, []);
    for (const { body } of scene.network.requests) {
      const length = typeof body === 'string' ?
        Buffer.byteLength(decodeURIComponent(body.slice(2))) : body.byteLength;
      assert.ok(length <= 10000, `${length}`);
    }
    assert.ok(sends(scene).length < 120);
  });
}

test('what the server left out is sent again, after a pause', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  scene.session.room = 3;
  for (let i = 0; i < 5; i++) {
    scene.client.send(`${i}`);
  }
  scene.client.close(3000);
  scene.advance(1000);
  assert.deepEqual(scene.session.inbox, ['0', '1', '2']);
  assert.ok(sends(scene).length <= 5);
  scene.session.room = Infinity;
  scene.advance(1000);
  assert.deepEqual(scene.session.inbox, ['0', '1', '2', '3', '4']);
  assert.deepEqual(scene.seen.closes, [{ code: 3000, reason: '', wasClean: true }]);
});

test('a message over maxMessageBytes ends the session with 4964', () => {
  const scene = createScene({ server: { limits: { maxMessageBytes: 10 } } });
  scene.advance(100);
  scene.client.send('€€€€');
  assert.deepEqual(scene.seen.closes, []);
  scene.advance(0);
  assert.deepEqual(scene.seen.closes, [{ code: 4964, reason: 'too-large', wasClean: false }]);
  scene.advance(100);
  assert.equal(scene.session.closing.code, 4964);
});

test('a gap, a bad ack and a packet that comes the wrong way end the session, and say so', () => {
  const breaches = [
    ['\x10a1', 4963], ['\x10x1', 4960], ['\x10z', 4960], ['\x10n0', 4960], ['\x10O{}', 4960],
  ];
  for (const [frame, code] of breaches) {
    const scene = createScene();
    scene.advance(100);
    scene.session.connection.connection.send(frame);
    scene.advance(100);
    assert.deepEqual(scene.seen.closes.map((close) => close.code), [code]);
    assert.equal(scene.session.closing.code, code);
    assert.equal(scene.websocket.code, code);
  }
});

test('a gap in an answer ends the session, and says so', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  scene.session.first = 3;
  scene.session.send('after a gap');
  scene.advance(100);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [4961]);
  assert.equal(scene.session.closing.code, 4961);
});

test('padding on a WebSocket is ignored, before the attach and after', () => {
  const scene = createScene();
  const { websocket } = scene.server;
  scene.server.websocket = function (protocols, connection) {
    connection.send('\x10-before');
    return websocket.call(this, protocols, connection);
  };
  scene.advance(1000);
  scene.session.connection.send('-', 'after');
  scene.session.send('down');
  scene.advance(1000);
  assert.deepEqual(scene.seen.messages, ['down']);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  assert.equal(scene.network.websockets.length, 1);
});

test('a server that has lost what it acknowledged is told, and the session is to be opened anew', () => {
  const scene = createScene({ transports: ['websocket'] });
  scene.advance(1000);
  scene.client.send('a');
  scene.advance(2000);
  assert.deepEqual(scene.session.inbox, ['a']);
  scene.session.inbox = [];
  scene.websocket.die(1006);
  scene.advance(30000);
  assert.deepEqual(scene.seen.closes, [{ code: 4934, reason: 'state-lost', wasClean: false }]);
  assert.deepEqual(scene.session.closing, { code: 4934, reason: 'state-lost' });
  assert.deepEqual(scene.server.errors, []);
});

test('opened that comes late, when a newer exchange has brought more, is no loss', () => {
  const scene = createScene();
  scene.client.block('websocket');
  scene.advance(1000);
  scene.network.websockets.length = 0;
  const { websocket } = scene.server;
  scene.server.websocket = function (protocols, connection) {
    return websocket.call(this, protocols, {
      close: connection.close,
      send: (frame) => {
        if (frame[1] === 'q') {
          // The held exchange is not told yet that another connection carries the session.
          scene.session.connection = null;
        }
        if (frame[1] === 'O' && scene.network.websockets.length === 1) {
          // As if what the page sends now went by a leg with a higher generation.
          scene.session.generation = 0;
          scene.client.send('a');
          scene.clock.setTimeout(() => connection.send(frame), 200);
        } else {
          connection.send(frame);
        }
      },
    });
  };
  scene.client.unblock('websocket');
  scene.advance(3000);
  delete scene.server.websocket;
  scene.advance(30000);
  scene.client.send('b');
  scene.advance(3000);
  assert.deepEqual(scene.seen.closes, []);
  assert.deepEqual(scene.session.inbox, ['a', 'b']);
  assert.ok(scene.client.trace.some(({ result }) => result.startsWith('superseded')));
});

test('an ack of what another connection brought leaves nothing out on the WebSocket', () => {
  const scene = createScene({ server: { limits: { windowMessages: 2 } } });
  scene.advance(1000);
  scene.network.plan.poll = () => 'unanswered';
  scene.client.block('websocket');
  ['a', 'b', 'c', 'd'].forEach((text) => scene.client.send(text));
  scene.advance(1000);
  assert.deepEqual(scene.session.inbox, ['a', 'b', 'c', 'd']);
  // As if the attach had been there before them.
  const { inbox } = scene.session;
  scene.session.inbox = [];
  scene.client.unblock('websocket');
  scene.client.block('poll');
  while (scene.seen.transports.at(-1) !== 'websocket') {
    scene.advance(10);
  }
  scene.session.inbox = inbox;
  scene.session.connection.send('a', '4');
  scene.client.send('e');
  scene.advance(5000);
  assert.deepEqual(scene.session.inbox, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(scene.server.errors, []);
  assert.deepEqual(scene.seen.closes, []);
});
