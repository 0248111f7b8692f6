// Which transport carries the session: opening, racing, falling back, coming back.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { ENCODINGS } from './support/builds.js';

const always = (fate) => () => fate;

/** Fates one after the other; the last one stays. */
const inTurn = (...fates) => () => (fates.length > 1 ? fates.shift() : fates[0]);

/** Numbered messages both ways, once and in order. */
function exchange(scene, from, count, advanceMs = 20) {
  for (let i = from; i < from + count; i++) {
    scene.client.send(`up ${i}`);
    scene.session.send(`down ${i}`);
    scene.advance(advanceMs);
  }
}

function assertComplete(scene, count) {
  const all = (side) => Array.from({ length: count }, (_, i) => `${side} ${i}`);
  assert.deepEqual(scene.session.inbox, all('up'));
  assert.deepEqual(scene.seen.messages, all('down'));
  assert.deepEqual(scene.server.errors, []);
  assert.equal(scene.server.sessions.length, 1);
}

test('a WebSocket that works carries the session, without any request', () => {
  const scene = createScene();
  scene.advance(10000);
  assert.deepEqual(scene.seen.events, ['transport', 'open']);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  assert.equal(scene.network.websockets.length, 1);
  assert.equal(scene.network.requests.length, 0);
});

test('the offer opens with generation 2 and the application\'s sub-protocols', () => {
  const scene = createScene({ protocols: ['chat', 'other'], server: { protocol: 'other' } });
  scene.advance(100);
  const [version, offer, ...rest] = scene.websocket.protocols;
  assert.equal(version, 'anywire.v1');
  assert.match(offer, /^anywire\.open\.[0-9a-f]{32}\.2$/);
  assert.deepEqual(rest, ['anywire.can.part.credential.veil', 'chat', 'other']);
  assert.equal(scene.client.protocol, 'other');
});

for (const fate of ['throws', 'refused', 'hangs', 'silent']) {
  test(`a WebSocket that ${fate} leaves the session to polling`, () => {
    const scene = createScene({ plan: { websocket: always(fate) } });
    scene.advance(1000);
    assert.deepEqual(scene.seen.events, ['transport', 'open']);
    assert.deepEqual(scene.seen.transports, ['poll']);
    exchange(scene, 0, 20);
    scene.advance(60000);
    assertComplete(scene, 20);
    assert.deepEqual(scene.seen.transports, ['poll']);
  });
}

test('a browser without WebSocket polls at once', () => {
  const scene = createScene({ WebSocket: null });
  scene.advance(50);
  assert.equal(scene.client.transport, 'poll');
});

test('a WebSocket of a draft is left alone', () => {
  class Draft {}
  const scene = createScene({ WebSocket: Draft });
  scene.advance(50);
  assert.equal(scene.client.transport, 'poll');
});

test('a refused WebSocket starts polling before its delay is over', () => {
  const scene = createScene({ plan: { websocket: always('refused') } });
  scene.advance(100);
  assert.equal(scene.client.transport, 'poll');
});

test('a WebSocket that dies after 200 ms leaves nothing behind it', () => {
  const scene = createScene({ plan: { websocket: always(200) } });
  scene.advance(100);
  exchange(scene, 0, 500);
  scene.advance(5000);
  assertComplete(scene, 500);
  assert.ok(scene.seen.transports.includes('poll'));
  assert.ok(scene.network.websockets.length > 2);
  assert.ok(scene.network.websockets.length < 12, 'the pauses grow');
});

test('one session is opened, whichever leg is first', () => {
  for (let ms = 0; ms < 120; ms += 5) {
    let isWebSocket = true;
    const scene = createScene({
      httpDelayMs: 0,
      plan: { latency: () => ((isWebSocket = !isWebSocket) ? 50 : ms) },
    });
    scene.advance(3000);
    assert.equal(scene.server.sessions.length, 1);
    exchange(scene, 0, 10);
    scene.advance(3000);
    assertComplete(scene, 10);
    assert.equal(scene.client.transport, 'websocket');
    assert.equal(scene.seen.events.filter((type) => type === 'open').length, 1);
  }
});

test('a WebSocket that works later takes over from polling', () => {
  const scene = createScene({
    plan: { websocket: inTurn('hangs', 'ok') },
    backoff: { minMs: 100, maxMs: 100 },
  });
  scene.advance(1000);
  assert.equal(scene.client.transport, 'poll');
  exchange(scene, 0, 400);
  scene.advance(3000);
  assert.deepEqual(scene.seen.transports, ['poll', 'websocket']);
  assertComplete(scene, 400);
});

test('a WebSocket that is tried again offers nothing and proves itself first', () => {
  const scene = createScene({ plan: { websocket: inTurn('refused', 'ok') }, protocols: 'chat' });
  scene.advance(3000);
  assert.deepEqual(scene.websocket.protocols, ['anywire.v1']);
  assert.equal(scene.websocket.sent[0], '\x10p' + '.'.repeat(16384));
  assert.match(scene.websocket.sent[1], /^\x10x[0-9a-f]{32} [0-9a-f]{32} 4 0$/);
  assert.equal(scene.client.transport, 'websocket');
});

test('messages survive a WebSocket that is cut mid-stream', () => {
  const scene = createScene();
  scene.advance(100);
  for (let i = 0; i < 10; i++) {
    exchange(scene, i * 30, 30, 7);
    scene.websocket.die(1006);
    scene.advance(i * 13);
  }
  scene.advance(10000);
  assertComplete(scene, 300);
  assert.equal(scene.client.readyState, 1);
});

test('a WebSocket that stalls while nothing is sent is left by the heartbeat', () => {
  const scene = createScene();
  scene.advance(100);
  scene.websocket.stall();
  scene.session.send('down 0');
  scene.advance(25000 * 1.25 + 2000 - 200);
  assert.equal(scene.client.transport, 'websocket');
  scene.advance(300);
  assert.equal(scene.client.transport, 'poll');
  assert.deepEqual(scene.seen.transports, ['websocket', 'poll']);
  scene.advance(100);
  assert.deepEqual(scene.seen.messages, ['down 0']);
});

test('a stall is found sooner while a message waits for its ack', () => {
  const scene = createScene();
  scene.advance(5000);
  scene.websocket.stall();
  scene.client.send('up 0');
  scene.advance(2000 + 2000 + 200);
  assert.deepEqual(scene.session.inbox, ['up 0']);
  assert.deepEqual(scene.seen.transports, ['websocket', 'poll']);
});

test('a WebSocket that stalls is kept until polling has attached, or it is heard again', () => {
  const scene = createScene();
  scene.advance(5000);
  scene.network.plan.poll = always('lost');
  const { down } = scene.websocket;
  scene.websocket.down = () => {};
  scene.client.send('up 0');
  scene.advance(4500);
  assert.ok(scene.network.requests.length > 0, 'polling was tried');
  scene.websocket.down = down;
  scene.session.send('down 0');
  scene.advance(60000);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  assert.equal(scene.network.websockets.length, 1);
  assert.deepEqual(scene.seen.messages, ['down 0']);
  assert.deepEqual(scene.session.inbox, ['up 0']);
});

test('a WebSocket that attaches and does not bear the proof is left within its budget', () => {
  const scene = createScene();
  const connect = scene.server.websocket;
  scene.server.websocket = (protocols, connection) => {
    const link = connect.call(scene.server, protocols, connection);
    const { onframe } = link;
    link.onframe = (frame) => frame.length < 16000 && onframe.call(link, frame);
    return link;
  };
  scene.advance(1200);
  // That it is superseded may show before that polling has attached.
  assert.deepEqual(scene.seen.transports, ['websocket', 'reconnecting', 'poll']);
  exchange(scene, 0, 20);
  scene.advance(60000);
  assertComplete(scene, 20);
  assert.equal(scene.seen.transports.length, 3, 'no later one disturbs the session');
});

test('a WebSocket whose proof comes late is stalled no longer', () => {
  const scene = createScene({ plan: { poll: always('lost') } });
  const connect = scene.server.websocket;
  scene.server.websocket = (protocols, connection) => {
    const link = connect.call(scene.server, protocols, connection);
    const { onframe } = link;
    link.onframe = (frame) => scene.clock.setTimeout(() => onframe.call(link, frame),
      frame.length < 16000 ? 0 : 3000);
    return link;
  };
  scene.advance(3000);
  assert.ok(scene.network.requests.length > 0, 'polling was tried when the proof was overdue');
  scene.network.plan.poll = always('ok');
  scene.advance(60000);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  assert.deepEqual(scene.session.log, ['websocket']);
});

test('an idle session lives, and only the server pings', () => {
  const scene = createScene();
  scene.advance(600000);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  const pings = scene.websocket.sent.filter((frame) => frame.startsWith('\x10p'));
  assert.deepEqual(pings.map(({ length }) => length), [16386], 'the proof alone');
});

test('without pings from the server the client pings', () => {
  const scene = createScene({ server: { heartbeats: false } });
  scene.advance(600000);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  assert.ok(scene.websocket.sent.includes('\x10p'));
});

test('a WebSocket that carried the session for 10 s makes the pauses short again', () => {
  const scene = createScene();
  for (let i = 0; i < 5; i++) {
    scene.advance(20000);
    assert.equal(scene.client.transport, 'websocket');
    scene.websocket.die(1006);
  }
  scene.advance(1000);
  assert.equal(scene.client.transport, 'websocket');
});

test('a poll that is superseded by nothing attaches again, above', () => {
  const scene = createScene({ plan: { websocket: inTurn('hangs') }, transports: ['poll'] });
  scene.advance(1000);
  scene.session.attach({ name: 'other', transmit() {}, supersede() {} }, 9);
  scene.session.generation = 1;
  exchange(scene, 0, 5);
  scene.advance(3000);
  assertComplete(scene, 5);
  assert.equal(scene.client.transport, 'poll');
});

test('a superseded poll drops a WebSocket that took over and then shows nothing', () => {
  const scene = createScene({ plan: { websocket: inTurn('refused', 'ok', 'hangs') } });
  scene.advance(100);
  const connect = scene.server.websocket;
  scene.server.websocket = (protocols, connection) => connect.call(scene.server, protocols, {
    // The pong comes through, and nothing after it.
    send: (frame) => frame.startsWith?.('\x10q') && connection.send(frame),
    close: connection.close,
  });
  for (let i = 0; i < 100 && scene.session.log.at(-1) !== 'websocket'; i++) {
    scene.advance(20);
  }
  assert.equal(scene.session.log.at(-1), 'websocket');
  exchange(scene, 0, 5);
  scene.advance(2500);
  assertComplete(scene, 5);
  assert.equal(scene.client.transport, 'poll');
  assert.deepEqual(scene.seen.transports, ['poll']);
});

test('the transport is "reconnecting" while nothing carries the session', () => {
  const scene = createScene();
  scene.advance(100);
  const previous = [];
  scene.client.ontransport = (event) => previous.push(event.previous);
  scene.network.plan.poll = always('lost');
  scene.network.plan.websocket = always('refused');
  scene.websocket.die(1006);
  scene.advance(5000);
  assert.equal(scene.client.transport, 'reconnecting');
  assert.equal(scene.client.readyState, 1);
  scene.client.send('up 0');
  assert.equal(scene.client.bufferedAmount, 4);
  scene.network.plan.poll = always('ok');
  scene.advance(40000);
  assert.equal(scene.client.transport, 'poll');
  assert.deepEqual(previous, ['websocket', 'reconnecting']);
  assert.deepEqual(scene.session.inbox, ['up 0']);
});

test('without any connection the session ends with the resume window', () => {
  const scene = createScene();
  scene.advance(100);
  scene.network.plan.poll = always('lost');
  scene.network.plan.websocket = always('refused');
  scene.websocket.die(1006);
  scene.advance(119000);
  assert.deepEqual(scene.seen.closes, []);
  scene.advance(2000);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [4931]);
  assert.equal(scene.seen.closes[0].wasClean, false);
});

test('a captive portal and a broken proxy do not end the session', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.network.plan.poll = inTurn('html', 502, 'html', 404, 'throws', 'ok');
  exchange(scene, 0, 5);
  scene.advance(60000);
  assertComplete(scene, 5);
});

test('an answer that never comes is not waited for', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  scene.network.plan.poll = inTurn('hangs', 'ok');
  scene.session.send('down 0');
  scene.advance(100);
  scene.session.send('down 1');
  scene.advance(25000 + 8000 + 3000);
  assert.deepEqual(scene.seen.messages, ['down 0', 'down 1']);
});

test('nothing can open a session: error, then close 1006, once the budget is spent', () => {
  const scene = createScene({ plan: { websocket: always('refused'), poll: always('lost') } });
  scene.advance(19900);
  assert.deepEqual(scene.seen.events, []);
  scene.advance(200);
  assert.deepEqual(scene.seen.events, ['error', 'close']);
  assert.equal(scene.seen.closes[0].code, 1006);
});

test('no transport at all: error, then close 1006, but not before the caller had a turn', () => {
  const scene = createScene({ WebSocket: null, XMLHttpRequest: null });
  assert.equal(scene.client.readyState, 0);
  scene.advance(1);
  assert.deepEqual(scene.seen.events, ['error', 'close']);
});

test('transports that are not allowed are not used', () => {
  const polling = createScene({ transports: ['poll'] });
  polling.advance(60000);
  assert.equal(polling.network.websockets.length, 0);
  const websocket = createScene({
    transports: ['websocket'], plan: { websocket: inTurn('refused', 'ok') },
  });
  websocket.advance(3000);
  assert.equal(websocket.client.transport, 'websocket');
  websocket.websocket.die(1006);
  websocket.advance(3000);
  exchange(websocket, 0, 5);
  websocket.advance(1000);
  assertComplete(websocket, 5);
  assert.equal(websocket.network.requests.length, 0);
});

test('Retry-After is waited for', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.server.refuse = { status: 503, code: 4902, headers: { 'retry-after': '7' } };
  scene.advance(6900);
  assert.equal(scene.network.requests.length, 1);
  scene.server.refuse = null;
  scene.advance(500);
  assert.equal(scene.client.transport, 'poll');
});

for (const [status, code] of [[401, 4966], [403, 4965], [400, 4962], [413, 4964], [415, 4967]]) {
  for (const encoding of ENCODINGS) {
    test(`a refusal with ${status} and ${code} is final, in the ${encoding} encoding`, () => {
      const scene = createScene({ WebSocket: null, encoding });
      scene.server.refuse = { status, code };
      scene.advance(1000);
      assert.deepEqual(scene.seen.events, ['error', 'close']);
      assert.deepEqual(scene.seen.closes, [{ code, reason: 'for a test', wasClean: false }]);
      scene.advance(60000);
      assert.equal(scene.network.requests.length, 1);
    });
  }
}

test('a session that the server does not know is closed, once', () => {
  for (const transports of [['poll'], ['websocket', 'poll']]) {
    const scene = createScene({ transports });
    scene.advance(1000);
    scene.session.ended = true;
    scene.websocket?.die(1006);
    scene.session.connection?.answer(true);
    scene.advance(60000);
    assert.deepEqual(scene.seen.closes.map((close) => close.code), [4930]);
    assert.ok(!scene.seen.events.includes('error'));
  }
});

test('a blocked transport is dropped, and used again when it is unblocked', () => {
  const scene = createScene();
  scene.advance(100);
  exchange(scene, 0, 5);
  scene.client.block('websocket');
  exchange(scene, 5, 5);
  scene.advance(60000);
  assert.equal(scene.client.transport, 'poll');
  assert.equal(scene.network.websockets.length, 1);
  scene.client.block('poll');
  scene.client.send('up 10');
  scene.session.send('down 10');
  scene.advance(60000);
  assert.equal(scene.client.transport, 'reconnecting');
  scene.client.unblock('websocket');
  scene.advance(200);
  assert.equal(scene.client.transport, 'websocket');
  scene.client.unblock('poll');
  scene.advance(2000);
  assertComplete(scene, 11);
});

test('a session whose transports are all blocked ends with the resume window', () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.block('poll');
  scene.client.block('websocket');
  scene.advance(121000);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [4931]);
  scene.client.unblock('poll');
  scene.advance(121000);
  assert.equal(scene.seen.closes.length, 1);
});

test('the page coming online is a reason to try at once', () => {
  const listeners = {};
  globalThis.addEventListener = (type, listener) => { listeners[type] = listener; };
  globalThis.removeEventListener = (type) => { delete listeners[type]; };
  try {
    const scene = createScene({ backoff: { minMs: 30000, maxMs: 30000 } });
    scene.advance(100);
    scene.network.plan.poll = always('lost');
    scene.network.plan.websocket = always('refused');
    scene.websocket.die(1006);
    scene.advance(1000);
    scene.network.plan.poll = always('ok');
    scene.advance(1000);
    assert.equal(scene.client.transport, 'reconnecting');
    listeners.online({ type: 'online' });
    scene.advance(100);
    assert.equal(scene.client.transport, 'poll');
    scene.client.close();
    scene.advance(1000);
    assert.deepEqual(listeners, {});
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test('the trace tells what was tried, and is bounded', () => {
  const scene = createScene({ plan: { websocket: always('refused') } });
  scene.advance(1000);
  assert.deepEqual(scene.client.trace.slice(0, 2), [
    { leg: 'websocket', phase: 'connect', ms: 20, result: 'closed 1006' },
    { leg: 'poll', phase: 'connect', ms: 40, result: 'ok' },
  ]);
  scene.network.plan.poll = always(502);
  scene.advance(110000);
  scene.network.plan.poll = always('ok');
  scene.advance(600000);
  assert.ok(scene.client.trace.length <= 64);
});
