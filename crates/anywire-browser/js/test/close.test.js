// How a session ends: by either side, by both, by neither.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { decodePayload, encodePayload } from './support/packets.js';

const always = (fate) => () => fate;

for (const transport of ['websocket', 'poll']) {
  test(`close() flushes what was sent, then closes cleanly: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    scene.client.send('last words');
    scene.client.close(3001, 'done ✓');
    assert.equal(scene.client.readyState, 2);
    scene.session.send('too late');
    scene.advance(1000);
    assert.deepEqual(scene.session.inbox, ['last words']);
    assert.deepEqual(scene.session.closing, { code: 3001, reason: 'done ✓' });
    assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'done ✓', wasClean: true }]);
    assert.deepEqual(scene.seen.events.slice(-2), ['transport', 'close']);
    assert.deepEqual(scene.seen.messages, []);
    assert.equal(scene.client.transport, '');
    assert.deepEqual(scene.server.errors, []);
    scene.advance(300000);
    assert.equal(scene.seen.closes.length, 1);
    assert.equal(scene.clock.due.length, 0, 'no timer is left');
  });

  test(`a close by the server comes after its messages, and is answered: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    scene.session.send('last words');
    scene.session.close(1001, 'going away');
    scene.advance(1000);
    assert.deepEqual(scene.seen.messages, ['last words']);
    assert.deepEqual(scene.seen.closes, [{ code: 1001, reason: 'going away', wasClean: true }]);
    assert.equal(scene.session.ended, true);
    assert.deepEqual(scene.server.errors, []);
    scene.advance(300000);
    assert.equal(scene.seen.closes.length, 1);
    assert.equal(scene.clock.due.length, 0, 'no timer is left');
  });

  test(`both close at once, and both report the server's close: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    scene.client.close(3001, 'client');
    scene.session.close(3002, 'server');
    scene.advance(60000);
    assert.deepEqual(scene.session.closing, { code: 3002, reason: 'server' });
    assert.equal(scene.session.ended, true, 'the server waits for no answer');
    assert.deepEqual(scene.seen.closes, [{ code: 3002, reason: 'server', wasClean: true }]);
  });

  test(`a server that closes at open is reported by a page that closes in onopen: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.server.onsession = (session) => session.close(1001, 'not now');
    scene.client.onopen = () => scene.client.close();
    scene.advance(60000);
    assert.deepEqual(scene.session.closing, { code: 1001, reason: 'not now' });
    assert.equal(scene.session.ended, true, 'the server waits for no answer');
    assert.deepEqual(scene.seen.closes, [{ code: 1001, reason: 'not now', wasClean: true }]);
  });

  test(`a close is waited for while the server shows life, within the resume window: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    // It has not handled yet what came before the close.
    const { session } = scene;
    session.take = () => 'open';
    const { websocket } = scene;
    const onframe = websocket && websocket.link.onframe;
    if (websocket) {
      websocket.link.onframe = function (frame) {
        if (frame.slice(0, 2) !== '\x10c') {
          onframe.call(this, frame);
        }
      };
    }
    scene.client.close(3001, 'mine');
    scene.advance(118000);
    assert.deepEqual(scene.seen.closes, []);
    scene.advance(4000);
    assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: false }]);
  });

  test(`a close of the protocol's own is not clean: ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    scene.session.close(4932, 'too-slow');
    scene.advance(1000);
    assert.deepEqual(scene.seen.events.slice(-2), ['transport', 'close']);
    assert.deepEqual(scene.seen.closes, [{ code: 4932, reason: 'too-slow', wasClean: false }]);
  });

  test(`close() is repeated on a new connection: ${transport}`, () => {
    const scene = createScene();
    scene.advance(100);
    if (transport === 'poll') {
      scene.client.block('websocket');
      scene.advance(1000);
    }
    scene.network.plan.poll = always('lost');
    scene.network.plan.websocket = always('refused');
    scene.websocket.die(1006);
    scene.client.send('last words');
    scene.client.close(3001);
    scene.advance(3000);
    assert.equal(scene.client.readyState, 2);
    scene.network.plan.poll = always('ok');
    scene.advance(6000);
    assert.deepEqual(scene.session.inbox, ['last words']);
    assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: '', wasClean: true }]);
  });
}

test('close() without a code closes with 1000', () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.close();
  scene.advance(100);
  assert.deepEqual(scene.session.closing, { code: 1000, reason: '' });
  assert.deepEqual(scene.seen.closes, [{ code: 1000, reason: '', wasClean: true }]);
});

test('a close that nobody answers ends after closeTimeoutMs, not cleanly', () => {
  const scene = createScene();
  scene.advance(100);
  scene.websocket.stall();
  scene.network.plan.poll = always('lost');
  scene.client.close(3001, 'mine');
  scene.advance(9900);
  assert.deepEqual(scene.seen.closes, []);
  scene.advance(200);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: false }]);
});

test('acks on the way give a close more time', () => {
  const scene = createScene({
    transports: ['poll'],
    server: { limits: { maxPingBytes: 1000, maxPayloadBytes: 2000 } },
    plan: { latency: () => 1000 },
  });
  scene.advance(5000);
  for (let i = 0; i < 10; i++) {
    scene.client.send('x'.repeat(1000));
  }
  scene.client.close(3001);
  scene.advance(60000);
  assert.equal(scene.session.inbox.length, 10);
  assert.equal(scene.seen.closes[0].wasClean, true);
});

test('a session that is gone while closing has closed cleanly', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  scene.network.plan.poll = always('unanswered');
  scene.client.close(3001, 'mine');
  scene.advance(100);
  assert.equal(scene.session.ended, true);
  scene.network.plan.poll = always('ok');
  scene.advance(5000);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: true }]);
});

test('last words that the server never took are not told as taken', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(100);
  // It has forgotten the session.
  scene.server.sessions.length = 0;
  scene.client.send('lost');
  scene.client.close(3001, 'mine');
  scene.advance(5000);
  assert.equal(scene.seen.closes.length, 1);
  assert.equal(scene.seen.closes[0].code, 4930);
  assert.equal(scene.seen.closes[0].wasClean, false);
});

test('last words wait for the network, within the resume window, and so does the close behind them', () => {
  const scene = createScene();
  scene.advance(1000);
  scene.network.plan.poll = always('lost');
  scene.network.plan.websocket = always('refused');
  scene.websocket.die(1006);
  scene.client.send('last words');
  scene.client.close(3001);
  scene.advance(60000);
  assert.deepEqual(scene.seen.closes, []);
  scene.network.plan.poll = always('ok');
  scene.advance(30000);
  assert.deepEqual(scene.session.inbox, ['last words']);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: '', wasClean: true }]);

  const gone = createScene();
  gone.advance(1000);
  gone.network.plan.poll = always('lost');
  gone.network.plan.websocket = always('refused');
  gone.websocket.die(1006);
  gone.client.send('last words');
  gone.client.close(3001);
  gone.advance(180000);
  assert.deepEqual(gone.seen.closes, [{ code: 3001, reason: '', wasClean: false }]);
});

for (const transport of ['websocket', 'poll']) {
  test(`a server that takes nothing more does not keep a page in close(): ${transport}`, () => {
    const scene = createScene({ transports: [transport] });
    scene.advance(1000);
    scene.session.room = 0;
    const { websocket } = scene;
    if (websocket) {
      const { onframe } = websocket.link;
      websocket.link.onframe = function (frame) {
        // It is alive, and its application takes nothing: acks are withheld.
        if (frame[0] === '\x10' && frame[1] !== 'c') {
          onframe.call(this, frame);
        }
      };
    }
    scene.client.send('x');
    scene.client.close(3001, 'mine');
    scene.advance(119000);
    assert.deepEqual(scene.seen.closes, []);
    scene.advance(2000);
    assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: false }]);
  });
}

test('a close whose own exchange finds the session gone was not taken, whoever says so first', () => {
  for (const order of ['hold', 'send']) {
    const scene = createScene({ transports: ['poll'] });
    scene.advance(1000);
    scene.server.sessions.length = 0;
    const { poll } = scene.server;
    const late = order === 'hold' ? 50 : 0;
    scene.server.poll = function (contentType, body, reply) {
      const hasClose = decodePayload(body).some(({ letter }) => letter === 'c');
      poll.call(this, contentType, body, (...answer) => {
        scene.clock.setTimeout(() => reply(...answer), hasClose ? late : 0);
      });
    };
    scene.client.send('lost');
    scene.client.close(3001, 'mine');
    scene.advance(60000);
    assert.deepEqual(scene.seen.closes.map(({ code, wasClean }) => [code, wasClean]), [[4930, false]], order);
  }
});

test('a close that crosses an equal one is told, though ours was left out', () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  scene.session.room = 0;
  scene.client.send('x');
  scene.client.close();
  scene.advance(1000);
  assert.equal(scene.session.ended, false);
  scene.session.close(1000, '');
  scene.advance(60000);
  assert.equal(scene.session.ended, true, 'the server hears a close');
  assert.deepEqual(scene.seen.closes.length, 1);
});

test('a close that went out on a WebSocket, and whose session is gone, was clean', () => {
  const scene = createScene({ transports: ['websocket'] });
  scene.advance(1000);
  const { session } = scene;
  scene.websocket.link.send = () => {};
  scene.client.close(3001, 'mine');
  scene.websocket.die(1006);
  scene.advance(1000);
  session.ended = true;
  scene.advance(60000);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'mine', wasClean: true }]);
});

test('what ends the session while its close is under way is told', () => {
  const scene = createScene({ transports: ['poll'] });
  const { poll } = scene.server;
  const told = [];
  scene.server.poll = function (contentType, body, reply) {
    const close = decodePayload(body).find(({ letter }) => letter === 'c');
    if (!close) {
      poll.call(this, contentType, body, reply);
      return;
    }
    told.push(close.content.code);
    // It answers something else, and what it answers cannot be.
    reply(200, encodePayload([
      { letter: 'a', content: '0' }, { letter: 'n', content: '7' }, { letter: 't', content: 'gap' },
    ], typeof body !== 'string'));
  };
  scene.advance(1000);
  scene.client.close(3001, 'mine');
  scene.advance(60000);
  assert.deepEqual(told, [3001, 4961]);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [4961]);
});

test('close() while connecting: error, then close 1006, and never open', () => {
  for (const ms of [0, 10, 30, 330]) {
    const scene = createScene(ms === 330 ? { plan: { websocket: always('hangs') } } : {});
    scene.advance(ms);
    scene.client.close();
    assert.equal(scene.client.readyState, 2);
    assert.deepEqual(scene.seen.events, []);
    scene.advance(60000);
    assert.deepEqual(scene.seen.events, ['error', 'close']);
    assert.equal(scene.seen.closes[0].code, 1006);
    assert.equal(scene.seen.closes[0].wasClean, false);
  }
});

for (const transports of [['websocket'], ['poll'], ['websocket', 'poll']]) {
  test(`close() while connecting leaves no session behind: ${transports}`, () => {
    for (let ms = 0; ms < 120; ms += 5) {
      const scene = createScene({ transports });
      scene.advance(ms);
      scene.client.close();
      scene.advance(2000);
      const { session } = scene;
      assert.ok(!session || session.ended, `after ${ms} ms: ${JSON.stringify(session?.closing)}`);
      assert.equal(scene.seen.closes.length, 1);
      assert.deepEqual(scene.server.errors, []);
    }
  });
}

test('a WebSocket that is refused with a final code while opening ends it', () => {
  const scene = createScene();
  scene.server.websocket = (protocols, connection) => {
    connection.send('\x10c4966 no');
    connection.close(4966);
    return { onframe() {}, onclose() {} };
  };
  scene.advance(100);
  assert.deepEqual(scene.seen.closes, [{ code: 4966, reason: 'no', wasClean: false }]);
});

test('nothing is heard after the close, whatever the handlers do', () => {
  const scene = createScene();
  scene.advance(100);
  scene.client.onmessage = () => scene.client.close(3001);
  scene.client.onclose = () => {
    scene.client.send('more');
    scene.client.close();
    scene.client.block('websocket');
    scene.client.unblock('websocket');
  };
  scene.session.send('a');
  scene.session.send('b');
  scene.advance(60000);
  assert.deepEqual(scene.seen.messages, ['a']);
  assert.equal(scene.seen.events.at(-1), 'close');
  assert.equal(scene.client.bufferedAmount, 4);
});

test('a handler that ends the session while it is reconnecting ends it for good', () => {
  const scene = createScene({ server: { limits: { maxMessageBytes: 10 } } });
  scene.advance(100);
  scene.client.ontransport = () => scene.client.send('longer than ten bytes');
  scene.websocket.die(1006);
  scene.advance(60000);
  assert.deepEqual(scene.seen.closes.map((close) => close.code), [4964]);
  assert.equal(scene.seen.events.at(-1), 'close');
});

test('a close is answered by its own exchange, though another says before that the session is gone', () => {
  const scene = createScene({ transports: ['poll'] });
  const { poll } = scene.server;
  const gone = JSON.stringify({ code: 4930, error: 'unknown-session', message: 'gone' });
  let refuseHeld;
  scene.server.poll = function (contentType, body, reply) {
    const packets = decodePayload(body);
    if (packets.some(({ letter }) => letter === 'c')) {
      // The server has closed first. What ends with that is told at once, and the answer is late.
      refuseHeld(404, gone);
      const answer = encodePayload([
        { letter: 'a', content: '0' }, { letter: 'c', content: '4001 first' },
      ], typeof body !== 'string');
      scene.clock.setTimeout(() => reply(200, answer), 500);
    } else {
      refuseHeld = reply;
      poll.call(this, contentType, body, reply);
    }
  };
  scene.advance(1000);
  scene.client.close(3001, 'mine');
  scene.advance(60000);
  assert.deepEqual(scene.seen.closes, [{ code: 4001, reason: 'first', wasClean: true }]);
});

for (const [name, refusal, code] of [
  ['has refused', [503, { code: 4902, error: 'overloaded', message: '' }], 4930],
  ['may have taken', [502, { code: 502, message: 'bad gateway' }], 3001],
]) {
  test(`a close that the server ${name} is told so when it forgets the session`, () => {
    const scene = createScene({ transports: ['poll'] });
    const { poll } = scene.server;
    const refusals = [refusal, [404, { code: 4930, error: 'unknown-session', message: 'gone' }]];
    scene.server.poll = function (contentType, body, reply) {
      if (decodePayload(body).some(({ letter }) => letter === 'c')) {
        const [status, told] = refusals.shift();
        reply(status, JSON.stringify(told));
      } else {
        poll.call(this, contentType, body, reply);
      }
    };
    scene.advance(1000);
    scene.client.close(3001, 'mine');
    scene.advance(60000);
    assert.deepEqual(scene.seen.closes.map((close) => close.code), [code]);
  });
}
