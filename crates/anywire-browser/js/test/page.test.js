// The page's life: shown again, online, another network, asleep. What is remembered between pages.
// What goes with the open, and what the server is told.

import { test } from 'node:test';
import assert from 'node:assert';
import { withPage } from './support/page-life.js';
import { createScene } from './support/scene.js';
import { createMemory } from '../src/memory.js';

const always = (fate) => () => fate;
const PROOF = 16386;

const pings = ({ websocket }) => websocket.sent.filter((frame) => frame === '\x10p').length;
const polling = (options) => createScene({ transports: ['poll'], ...options });

function exchange(scene, from, count) {
  for (let i = from; i < from + count; i++) {
    scene.client.send(`up ${i}`);
    scene.session.send(`down ${i}`);
    scene.advance(20);
  }
}

function assertComplete(scene, count) {
  const all = (side) => Array.from({ length: count }, (_, i) => `${side} ${i}`);
  assert.deepEqual(scene.session.inbox, all('up'));
  assert.deepEqual(scene.seen.messages, all('down'));
  assert.deepEqual(scene.server.errors, []);
  assert.equal(scene.server.sessions.length, 1);
}

test('there is no listener that keeps a page out of the back-forward cache', () => {
  withPage(({ listeners }) => {
    const scene = createScene();
    assert.deepEqual(Object.keys(listeners).sort(), [
      'change', 'offline', 'online', 'pagehide', 'pageshow', 'resume', 'visibilitychange',
    ]);
    scene.advance(100);
    scene.client.close();
    scene.advance(100);
    assert.ok(Object.values(listeners).every((list) => !list.length), 'none is left');
    assert.equal(scene.clock.due.length, 0, 'no timer is left');
  });
});

for (const [type, event] of [
  ['pageshow', { persisted: true }], ['resume'], ['visibilitychange'], ['online'], ['offline'],
]) {
  test(`${type} asks a WebSocket, which is left when it does not answer`, () => {
    withPage(({ fire }) => {
      const scene = createScene();
      scene.advance(1000);
      fire(type, event);
      scene.advance(100);
      assert.equal(pings(scene), 1);
      assert.deepEqual(scene.seen.transports, ['websocket']);
      scene.websocket.stall();
      fire(type, event);
      scene.advance(2100);
      assert.equal(scene.client.transport, 'poll');
      exchange(scene, 0, 10);
      scene.advance(1000);
      assertComplete(scene, 10);
    });
  });

  test(`${type} begins polling anew, once`, () => {
    withPage(({ fire }) => {
      const scene = polling();
      scene.advance(100);
      scene.network.plan.poll = always('hangs');
      scene.session.send('down 0');
      scene.client.send('up 0');
      scene.advance(100);
      scene.network.plan.poll = always('ok');
      const { length } = scene.network.requests;
      fire(type, event);
      fire('resume');
      scene.advance(0);
      assert.equal(scene.network.requests.length, length + 1);
      scene.advance(100);
      assertComplete(scene, 1);
    });
  });
}

test('a page that is shown for the first time, or hidden, has lost nothing', () => {
  withPage(({ fire, page, connection }) => {
    const scene = createScene();
    scene.advance(1000);
    fire('pageshow', { persisted: false });
    page.hidden = true;
    fire('visibilitychange');
    fire('change');
    scene.advance(100);
    assert.equal(pings(scene), 0);
    assert.equal(connection.type, 'wifi');
  });
});

test('another network is a return, and forgets what was learnt', () => {
  withPage(({ fire, connection }) => {
    const localStorage = {};
    const scene = createScene({ localStorage });
    scene.advance(1000);
    assert.deepEqual(Object.keys(localStorage), ['anywire ws://example.test']);
    connection.type = 'cellular';
    fire('change');
    scene.advance(100);
    assert.deepEqual(localStorage, {});
    assert.equal(pings(scene), 1);
  });
});

test('a jump of the wall clock is a sleep', () => {
  for (const hidden of [false, true]) {
    withPage(({ page }) => {
      page.hidden = hidden;
      const scene = createScene();
      scene.advance(6000);
      assert.equal(pings(scene), 0);
      scene.clock.jump += 60000;
      scene.advance(5100);
      assert.equal(pings(scene), 1);
      scene.advance(20000);
      assert.equal(pings(scene), 1, 'only once');
    });
  }
});

test('timers that are far too late are a sleep, but not those of a hidden page', () => {
  for (const hidden of [false, true]) {
    withPage(({ page }) => {
      page.hidden = hidden;
      const scene = createScene();
      scene.advance(6000);
      scene.clock.time += 20000;
      scene.advance(100);
      assert.equal(pings(scene), hidden ? 0 : 1);
    });
  }
});

test('a clock that is set by a little is no sleep', () => {
  const scene = createScene();
  scene.advance(6000);
  scene.clock.jump += 3000;
  scene.advance(10000);
  scene.clock.jump -= 100000;
  scene.advance(10000);
  assert.equal(pings(scene), 0);
});

test('a page that slept while polling gets everything at once', () => {
  const scene = polling();
  scene.advance(100);
  scene.network.plan.poll = always('hangs');
  scene.session.send('down 0');
  scene.advance(10);
  scene.network.plan.poll = always('ok');
  scene.clock.jump += 60000;
  scene.advance(5200);
  assert.deepEqual(scene.seen.messages, ['down 0']);
});

test('two clients of one page have a session each', () => {
  const localStorage = {};
  const [one, other] = [createScene({ localStorage }), createScene({ localStorage })];
  exchange.call(null, (one.advance(100), one), 0, 5);
  exchange.call(null, (other.advance(100), other), 0, 5);
  one.advance(2000);
  other.advance(2000);
  assertComplete(one, 5);
  assertComplete(other, 5);
  assert.notEqual(one.session.key, other.session.key);
});

test('what worked is remembered: polling waits longer for a WebSocket that is slow', () => {
  const shared = { localStorage: {}, date: () => 1e12 };
  createScene({ ...shared, plan: { latency: () => 100 } }).advance(1000);
  const scene = createScene({
    ...shared, plan: { websocket: always('hangs'), latency: () => 100 },
  });
  scene.advance(590);
  assert.equal(scene.network.requests.length, 0);
  scene.advance(20);
  assert.equal(scene.network.requests.length, 1);
});

test('what fails is remembered: polling starts at once, beside the WebSocket', () => {
  const shared = { localStorage: {}, date: () => 1e12 };
  createScene({ ...shared, plan: { websocket: always('refused') } }).advance(1000);
  const scene = createScene(shared);
  assert.equal(scene.network.requests.length, 1);
  scene.advance(5000);
  assert.deepEqual(scene.seen.transports, ['websocket']);
  const other = createScene({ ...shared, url: 'ws://other.test/' });
  assert.equal(other.network.requests.length, 0, 'of this origin alone');
});

test('a memory expires, survives no clock set back, and nothing that is not one', () => {
  let date = 1e12;
  const localStorage = {};
  const memory = createMemory({ localStorage, date: () => date }, 'ws://h');
  assert.equal(memory.recall_(), '');
  memory.remember_(60);
  assert.equal(memory.recall_(), '60');
  date += 599999;
  assert.equal(memory.recall_(), '60');
  date += 1;
  assert.equal(memory.recall_(), '');
  date -= 1e9;
  assert.equal(memory.recall_(), '');
  memory.remember_('fails');
  assert.equal(memory.recall_(), 'fails');
  localStorage['anywire ws://h'] = `${date + 1} nonsense`;
  assert.equal(memory.recall_(), '');
  memory.forget_();
  assert.deepEqual(localStorage, {});
});

test('where storing throws, the page remembers', () => {
  const localStorage = new Proxy({}, {
    get() { throw new Error('SecurityError'); },
    set() { throw new Error('QuotaExceededError'); },
    deleteProperty() { throw new Error('SecurityError'); },
  });
  const memory = createMemory({ localStorage, date: Date.now }, 'ws://page-alone');
  memory.remember_(5);
  const other = createMemory({ localStorage, date: Date.now }, 'ws://page-alone');
  assert.equal(other.recall_(), '5');
  other.forget_();
  assert.equal(memory.recall_(), '');
});

test('first messages share the first exchange, and so does the first answer', () => {
  const scene = polling({ first: ['up 0', new Uint8Array([7])] });
  scene.server.onsession = (session) => {
    session.onmessage = (message) => message === 'up 0' && session.send('down 0');
  };
  scene.advance(45);
  assert.equal(scene.network.requests.length, 3, 'and the hold and the proof that follow');
  assert.deepEqual(scene.seen.events, ['transport', 'open', 'message']);
  assert.deepEqual(scene.seen.messages, ['down 0']);
  assert.deepEqual(scene.session.inbox, ['up 0', new Uint8Array([7])]);
  scene.advance(1000);
  assert.deepEqual(scene.server.errors, []);
  assert.equal(scene.client.bufferedAmount, 0);
});

test('first messages go once, whichever leg opens the session', () => {
  for (const [websocket, poll] of [
    ['ok', 'ok'], ['hangs', 'unanswered'], [50, 'twice'], ['silent', 'ok'],
  ]) {
    let count = 0;
    const scene = createScene({
      first: ['up 0', 'up 1'], httpDelayMs: 10,
      plan: { websocket: always(websocket), poll: () => (count++ < 2 ? poll : 'ok') },
    });
    scene.advance(10000);
    assert.deepEqual(scene.session.inbox, ['up 0', 'up 1'], `${websocket} ${poll}`);
    assert.deepEqual(scene.server.errors, []);
    assert.equal(scene.server.sessions.length, 1);
  }
});

test('the server is told once something went wrong, over either leg, each attempt once', () => {
  const healthy = createScene();
  healthy.advance(60000);
  assert.deepEqual(healthy.session.reports, []);
  let count = 0;
  const scene = createScene({ plan: { websocket: () => (count++ ? 'ok' : 'refused') } });
  scene.advance(60000);
  const told = scene.session.reports.map((report) => report.replace(/ \d+ /, ' '));
  assert.deepEqual(told, [
    'websocket connect closed', 'poll connect ok', 'poll proof ok', 'websocket probe ok',
    'poll carry superseded', 'websocket attach ok',
  ]);
  assert.deepEqual(scene.server.errors, []);
});

test('polling is proven beside its first hold, in an exchange of its own', () => {
  const scene = polling();
  scene.advance(200);
  assert.deepEqual(scene.client.trace.map(({ phase, result }) => `${phase} ${result}`), [
    'connect ok', 'proof ok',
  ]);
  assert.ok(scene.network.requests.some(({ body }) => body.byteLength > PROOF));
});

test('a proof that nobody answers is given up, and the leg is not', () => {
  let count = 0;
  const scene = polling({ plan: { poll: () => (count++ === 1 ? 'hangs' : 'ok') } });
  scene.advance(60000);
  const proof = scene.network.requests.find(({ body }) => body.byteLength > PROOF);
  assert.equal(proof.isAborted, true);
  assert.deepEqual(scene.client.trace.map(({ phase }) => phase), ['connect']);
});

test('a session without an end does not end by itself', () => {
  const scene = createScene();
  scene.advance(100);
  scene.advance(1.1e9);
  assert.equal(scene.client.readyState, 1);
});

test('a path that does not bear the proof carries what it bears', () => {
  const scene = polling();
  const { poll } = scene.server;
  scene.server.poll = (type, body, reply) => (
    body.byteLength > 9000 ? reply(413, '<html>') : poll.call(scene.server, type, body, reply));
  scene.advance(1000);
  assert.deepEqual(scene.client.trace.map(({ phase }) => phase), ['connect'], 'not lost');
  for (let i = 0; i < 40; i++) {
    scene.client.send(`${i}`.padEnd(1000));
  }
  scene.advance(10000);
  assert.deepEqual(
    scene.session.inbox.map((text) => +text), Array.from({ length: 40 }, (_, i) => i));
});
