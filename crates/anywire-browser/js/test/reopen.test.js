// A new session where one has ended: when, with which credential, and what the application gets back of the old one.

import { test } from 'node:test';
import assert from 'node:assert';
import { testFull } from './support/builds.js';
import { Clock } from './support/clock.js';
import { createPage } from './support/page.js';
import { createRandom } from './support/random.js';
import { createScene } from './support/scene.js';
import { Server } from './support/server.js';
import { withEvents } from './support/streams.js';

const always = (fate) => () => fate;
const FULL = /stream|events|jsonp/;
const REOPEN_MS = 5000;

/** A scene whose client opens again, over one transport. Nothing reaches the server, or finds its sessions, if a test says so. */
function reopening({ transport = 'websocket', reopen = true, ...options } = {}) {
  const page = createPage();
  const scene = createScene({
    transports: /stream|events/.test(transport) ? [transport, 'poll'] : [transport], reopen,
    browser: (network, clock, server) => ({
      document: page.connect(network), ...(transport === 'events' && { EventSource: withEvents(network, clock, server) }),
    }),
    ...options,
  });
  scene.advance(3000);
  assert.equal(scene.client.transport, transport);
  return Object.assign(scene, {
    /** From now on until it is brought up again. */
    cut() {
      scene.network.plan.websocket = always('refused');
      scene.network.plan.poll = scene.network.plan.stream = always('lost');
      scene.network.websockets.forEach((websocket) => websocket.die(1006));
    },
    mend() {
      scene.network.plan.websocket = scene.network.plan.poll = scene.network.plan.stream = always('ok');
    },
    /** It has been started anew, and knows nobody. */
    restart() {
      scene.server.sessions.forEach((session) => {
        session.ended = true;
        session.connection?.supersede?.();
      });
    },
  });
}

const plain = ({ code, reason, previous, unacknowledged, resent }) => ({ code, reason, previous, unacknowledged, resent });

for (const transport of ['websocket', 'poll', 'stream', 'events', 'jsonp']) {
  const check = FULL.test(transport) ? testFull : test;

  check(`a new session follows 1012, and no close comes between: ${transport}`, () => {
    const scene = reopening({ transport });
    const { client, seen, session } = scene;
    const { id } = client;
    assert.equal(id, session.id);
    seen.events.length = 0;
    session.close(1012, 'restarts');
    scene.advance(100);
    assert.deepEqual([client.readyState, client.transport], [0, 'reconnecting']);
    assert.throws(() => client.send('no'), { name: 'InvalidStateError' });
    scene.server.onsession = (next) => next.send('first');
    scene.advance(REOPEN_MS + 3000);
    assert.deepEqual([client.readyState, client.transport], [1, transport]);
    assert.deepEqual(seen.events.filter((type) => type !== 'transport'), ['reopen', 'message']);
    assert.deepEqual(seen.reopens.map(plain), [
      { code: 1012, reason: 'restarts', previous: id, unacknowledged: [], resent: false },
    ]);
    assert.equal(client.id, scene.session.id);
    assert.notEqual(client.id, id);
    assert.notEqual(scene.session.key, session.key, 'a fresh key');
    client.send('on');
    scene.advance(2000);
    assert.deepEqual([scene.session.inbox, seen.messages], [['on'], ['first']]);
    assert.deepEqual(scene.server.errors, []);
  });

  check(`a new session follows a restart of the server, with what was not acknowledged: ${transport}`, () => {
    for (const resend of [false, true]) {
      const scene = reopening({ transport, reopen: { resend } });
      const { client, seen } = scene;
      client.send('known');
      scene.advance(3000);
      const bytes = Uint8Array.of(1, 2, 3);
      scene.cut();
      scene.network.requests.forEach((request) => request.finish(0, ''));
      scene.advance(100);
      client.send('lost');
      client.send(bytes);
      scene.restart();
      scene.mend();
      client.onreopen = () => client.send('of the handler');
      scene.advance(2 * REOPEN_MS + 3000);
      const [reopened] = seen.reopens;
      assert.equal(seen.reopens.length, 1);
      assert.equal(reopened.code, 4930);
      assert.equal(reopened.resent, resend);
      const [text, buffer, ...more] = reopened.unacknowledged;
      assert.deepEqual([text, more], ['lost', []]);
      assert.ok(buffer instanceof ArrayBuffer);
      assert.deepEqual(new Uint8Array(buffer), bytes);
      const again = resend ? ['lost', bytes] : [];
      assert.deepEqual(scene.session.inbox, [...again, 'of the handler']);
      assert.equal(client.bufferedAmount, 0);
      assert.equal(seen.closes.length, 0);
      assert.deepEqual(scene.server.errors, []);
    }
  });
}

test('a new session follows one that has expired here', () => {
  const scene = reopening({ server: { limits: { resumeWindowMs: 20000 } } });
  scene.cut();
  scene.advance(30000);
  assert.deepEqual([scene.client.readyState, scene.client.transport], [0, 'reconnecting']);
  scene.mend();
  scene.advance(REOPEN_MS + 500);
  assert.equal(scene.seen.reopens[0].code, 4931);
  assert.equal(scene.client.readyState, 1);
});

test('what says to start anew does so, and nothing else', () => {
  for (const [code, follows] of [
    [1012, true], [1013, true], [4930, true], [4931, true], [4932, true], [4935, true], [4936, true], [4959, true],
    [1000, false], [1001, false], [1011, false], [3000, false], [4000, false], [4960, false], [4966, false], [4970, false],
  ]) {
    const scene = reopening();
    scene.session.close(code, 'why');
    scene.advance(REOPEN_MS + 500);
    assert.equal(scene.seen.reopens.length, follows ? 1 : 0, `${code}`);
    assert.deepEqual(scene.seen.closes.map((close) => close.code), follows ? [] : [code]);
    assert.equal(scene.client.readyState, follows ? 1 : 3);
    assert.deepEqual(scene.seen.events.filter((type) => /error|open/.test(type)).length, code >= 4960 || follows ? 2 : 1);
    scene.advance(60000);
    assert.equal(scene.server.sessions.length, follows ? 2 : 1);
  }
});

test('without the option every end is final', () => {
  const scene = createScene();
  scene.advance(100);
  scene.session.close(1012, '');
  scene.advance(20000);
  assert.deepEqual(scene.seen.closes.map(({ code }) => code), [1012]);
  assert.equal(scene.server.sessions.length, 1);
});

test('what did not open at all is no end to follow', () => {
  const scene = createScene({ reopen: true, connectTimeoutMs: 3000, plan: { websocket: always('refused'), poll: always('lost') } });
  scene.advance(60000);
  assert.deepEqual(scene.seen.events, ['error', 'close']);
  assert.equal(scene.seen.closes[0].code, 1006);
});

test('what is sent after the end, before the application hears of it, is given back too', () => {
  const scene = reopening();
  scene.session.close(1012, '');
  // The end has come, and its event waits for a turn.
  const { onmessage } = scene.websocket;
  scene.websocket.onmessage = (event) => {
    onmessage(event);
    assert.equal(scene.client.readyState, 1);
    scene.client.send('between');
  };
  scene.advance(REOPEN_MS + 500);
  assert.deepEqual(scene.seen.reopens[0].unacknowledged, ['between']);
});

test('a message that the server has in part is given back whole, and behind what it does not have', async () => {
  const scene = reopening({ transport: 'poll', server: { limits: { maxPartBytes: 1000 } } });
  const { client, network, session } = scene;
  const long = 'é'.repeat(5000);
  const blob = new Blob(['blob']);
  let sends = 0;
  network.plan.poll = (body) => (body.byteLength > 1000 && sends++ ? 'lost' : 'ok');
  network.plan.latency = always(20);
  client.send(long);
  client.send(blob);
  client.send(new Uint8Array([9, 1, 2]).subarray(1));
  client.send('last');
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  scene.advance(10);
  session.partial = { kind: 't', bytes: Buffer.from(long.slice(0, 700)) };
  network.plan.poll = always('ok');
  session.inbox.push = () => {};
  scene.restart();
  scene.advance(2 * REOPEN_MS);
  const { unacknowledged } = scene.seen.reopens[0];
  assert.deepEqual([unacknowledged[0], unacknowledged[1], unacknowledged[3]], [long, blob, 'last']);
  assert.equal(unacknowledged[1], blob);
  assert.deepEqual(new Uint8Array(unacknowledged[2]), Uint8Array.of(1, 2));
});

test('what was acknowledged is not given back, also of a burst', () => {
  const scene = reopening();
  for (let i = 0; i < 10; i++) {
    scene.client.send(`${i}`);
  }
  scene.advance(30);
  scene.session.connection.send('a', '4');
  scene.advance(30);
  scene.websocket.stall();
  scene.restart();
  scene.cut();
  scene.mend();
  scene.advance(2 * REOPEN_MS);
  assert.deepEqual(scene.seen.reopens[0].unacknowledged, ['4', '5', '6', '7', '8', '9']);
});

test('nothing turns while something carries the session, nor after the end', () => {
  const scene = reopening();
  const { client, clock, network } = scene;
  network.websockets.at(-1).die(1006);
  scene.advance(20000);
  assert.equal(client.readyState, 1);
  const made = network.websockets.length + network.requests.length;
  client.block('poll');
  client.unblock('poll');
  scene.advance(3 * REOPEN_MS);
  assert.equal(network.websockets.length + network.requests.length, made);
  scene.session.close(1012, '');
  scene.advance(100);
  client.close();
  scene.advance(20000);
  assert.equal(scene.seen.closes.length, 1);
  assert.equal(clock.due.length, 0, 'no timer is left');
});

test('what is sent again is kept over a new session that did not open', () => {
  const scene = reopening({ reopen: { resend: true }, connectTimeoutMs: 4000 });
  scene.cut();
  scene.advance(10);
  scene.client.send('kept');
  scene.restart();
  scene.mend();
  scene.network.plan.websocket = always('ok');
  scene.session.closing = null;
  // The end is known, and then nothing opens for a while.
  const { websocket } = scene.server;
  scene.advance(600);
  scene.server.websocket = function (protocols, connection) {
    if (/open/.test(protocols[1])) {
      connection.close(1006);
      return { onframe() {}, onclose() {} };
    }
    return websocket.call(this, protocols, connection);
  };
  scene.advance(30000);
  assert.equal(scene.client.readyState, 0);
  scene.server.websocket = websocket;
  scene.advance(10000);
  assert.deepEqual(scene.session.inbox, ['kept']);
  assert.deepEqual(scene.seen.reopens[0].unacknowledged, ['kept']);
  assert.deepEqual([scene.seen.reopens.length, scene.seen.reopens[0].code], [1, 4930]);
});

test('close() between two sessions is final: error where nothing was open, then close, and no session is left behind', () => {
  for (const ms of [0, 10, 100, 2510, 2530, 2550, 2600]) {
    const scene = reopening();
    scene.session.close(1012, '');
    scene.advance(20 + ms);
    scene.seen.events.length = 0;
    const wasOpen = scene.client.readyState === 1;
    scene.client.close(3001, 'mine');
    scene.advance(60000);
    assert.equal(scene.client.readyState, 3);
    assert.deepEqual(scene.seen.closes.length, 1, `after ${ms} ms`);
    assert.ok(scene.server.sessions.every((session) => session.ended || session.closing), `after ${ms} ms`);
    assert.equal(scene.seen.reopens.length, wasOpen && ms > 2000 ? 1 : 0);
  }
});

test('an application that closes as it hears of the end has closed', () => {
  const scene = reopening();
  scene.client.ontransport = () => scene.client.close();
  scene.session.close(1012, '');
  scene.advance(60000);
  assert.equal(scene.seen.closes.length, 1);
  assert.equal(scene.server.sessions.length, 1);
  assert.equal(scene.client.readyState, 3);
});

test('a close that the application has asked for is final, whatever ends the session then', () => {
  const scene = reopening();
  scene.cut();
  scene.client.close(3001);
  scene.restart();
  scene.mend();
  scene.advance(60000);
  assert.equal(scene.seen.reopens.length, 0);
  assert.equal(scene.seen.closes.length, 1);
});

test('after so many tries it gives up, with the close of the last', () => {
  const scene = reopening({ reopen: { tries: 3 } });
  scene.session.close(1012, '');
  scene.advance(100);
  scene.cut();
  let opens = 0;
  scene.network.plan.websocket = () => (opens++, 'refused');
  scene.advance(100000);
  assert.deepEqual(scene.seen.events.slice(-2), ['error', 'close']);
  assert.equal(scene.seen.closes[0].code, 1006);
  assert.equal(opens, 3);
});

test('its own time between turns is kept', () => {
  const scene = reopening({ reopen: { maxMs: 1000 } });
  scene.session.close(1012, '');
  scene.advance(100);
  scene.cut();
  const at = [];
  scene.network.plan.websocket = () => (at.push(scene.clock.now()), 'refused');
  scene.advance(5000);
  assert.deepEqual(at.slice(1).map((time, i) => time - at[i]), [1000, 1000, 1000, 1000]);
});

// The second is longer than a first open may take.
for (const [seconds, turns] of [[12, 3], [60, 13]]) {
  test(`while it opens again, a turn opens with the same key, and asks for nothing sooner than the server wants: ${seconds} s`, () => {
    const scene = reopening({ transport: 'poll' });
    scene.session.close(1012, '');
    scene.advance(100);
    const at = [];
    scene.server.refuse = { status: 503, code: 4903, headers: { 'retry-after': `${seconds}` } };
    const { poll } = scene.server;
    scene.server.poll = function (...request) {
      at.push(scene.clock.now());
      poll.apply(this, request);
    };
    scene.advance(10000);
    scene.server.refuse = null;
    scene.advance(10000 + seconds * 1000);
    assert.equal(scene.client.readyState, 1);
    assert.equal(at[1] - at[0], turns * REOPEN_MS);
  });
}

test('a page that returns meanwhile opens nothing between turns', async () => {
  const { withPage } = await import('./support/page-life.js');
  withPage(({ fire }) => {
    const scene = createScene({ reopen: true, random: always(0.9) });
    scene.advance(100);
    scene.session.close(1012, '');
    scene.advance(100);
    const { length } = scene.network.websockets;
    fire('online');
    scene.advance(1000);
    assert.equal(scene.network.websockets.length, length);
    scene.advance(REOPEN_MS);
    assert.equal(scene.client.readyState, 1);
    scene.client.close();
    scene.advance(1000);
  });
});

for (const transport of ['poll', 'stream', 'events', 'jsonp']) {
  (FULL.test(transport) ? testFull : test)(`between two sessions it is reconnecting, and no page event opens: ${transport}`, async () => {
    const { withPage } = await import('./support/page-life.js');
    withPage(({ fire }) => {
      const scene = reopening({ transport, random: always(0.1) });
      scene.seen.transports.length = 0;
      scene.session.close(1012, '');
      scene.advance(100);
      scene.cut();
      scene.network.plan.jsonp = always('lost');
      // Behind the first turn.
      scene.advance(1000);
      const { length } = scene.network.requests;
      fire('online');
      scene.advance(1000);
      assert.equal(scene.network.requests.length, length, 'it waits for its turn');
      scene.advance(3 * REOPEN_MS);
      assert.deepEqual([scene.client.transport, scene.seen.transports], ['reconnecting', ['reconnecting']]);
      scene.mend();
      scene.network.plan.jsonp = always('ok');
      scene.advance(REOPEN_MS + 3000);
      assert.equal(scene.client.readyState, 1);
      scene.client.close();
      scene.advance(3000);
    });
  });
}

test('it opens with the same key and for the same reason, however long that takes and whatever the first open may', () => {
  for (const connectTimeoutMs of [3000, 5000, 20000]) {
    const asked = [];
    const keys = [];
    const scene = reopening({
      transport: 'poll', connectTimeoutMs,
      authorize: (why) => {
        asked.push(why);
        return 'token';
      },
    });
    scene.session.close(4935, '');
    scene.advance(100);
    scene.cut();
    scene.network.plan.poll = (body) => {
      keys.push(/"key":"(\w+)"/.exec(`${Buffer.from(body)}`)[1]);
      return 'lost';
    };
    const from = scene.clock.now();
    scene.advance(120000);
    scene.mend();
    scene.advance(REOPEN_MS + 500);
    assert.equal(scene.client.readyState, 1, `${connectTimeoutMs}`);
    assert.deepEqual(asked, ['open', 'expired']);
    assert.deepEqual(new Set(keys), new Set([scene.session.key]));
    assert.ok(keys.length >= 23, `${keys.length} turns in ${scene.clock.now() - from} ms`);
  }
});

test('a WebSocket that is silent since the turn before is tried anew at each', () => {
  const scene = reopening();
  scene.session.close(1012, '');
  scene.advance(100);
  const at = [];
  scene.network.plan.websocket = () => (at.push(scene.clock.now()), 'hangs');
  scene.advance(5 * REOPEN_MS);
  assert.deepEqual(at.slice(1).map((time, i) => time - at[i]), Array(at.length - 1).fill(REOPEN_MS));
  assert.ok(at.length >= 5);
});

for (const resend of [false, true]) {
  test(`what an outbox without end has taken is given back whole, resent: ${resend}`, () => {
    const scene = reopening({ reopen: { resend } });
    scene.cut();
    scene.advance(100);
    const large = 'x'.repeat(999_000);
    const sent = Array.from({ length: 70 }, (_, i) => `${i} ${large}`);
    for (const message of sent) {
      scene.client.send(message);
    }
    scene.client.send('after all');
    scene.mend();
    scene.advance(REOPEN_MS + 500);
    assert.equal(scene.seen.reopens[0].code, 4932);
    const { unacknowledged } = scene.seen.reopens[0];
    assert.equal(unacknowledged.length, 71);
    assert.ok(sent.every((message, i) => unacknowledged[i] === message));
    assert.equal(unacknowledged[70], 'after all');
    scene.advance(30000);
    assert.equal(scene.server.sessions.length, 2);
    assert.deepEqual([scene.session.inbox.length, scene.client.bufferedAmount], [resend ? 71 : 0, 0]);
  });
}

test('an application that has not answered for connectTimeoutMs is asked again', () => {
  const asked = [];
  let scene;
  scene = reopening({
    authorize: (why, done) => {
      asked.push(scene?.clock.now());
      if (asked.length !== 2) {
        done('token');
      }
    },
  });
  scene.session.close(1012, '');
  scene.advance(18000);
  assert.deepEqual([scene.client.readyState, asked.length], [0, 2]);
  scene.advance(REOPEN_MS + 3000);
  assert.deepEqual([scene.client.readyState, asked.length], [1, 3]);
  assert.equal(asked[2] - asked[1], 20000);
});

test('a turn asks in place of the pause after a failure, and nothing is asked behind it', () => {
  const asked = [];
  const scene = reopening({
    backoff: { minMs: 3000, maxMs: 3000 },
    authorize: (why) => {
      asked.push(why);
      if (asked.length === 2) {
        throw new Error('not now');
      }
      return `token ${asked.length}`;
    },
    reopen: { maxMs: 1000 },
  });
  scene.session.close(1012, '');
  scene.advance(30000);
  assert.equal(scene.client.readyState, 1);
  assert.deepEqual(asked, ['open', 'reopen', 'reopen']);
  assert.deepEqual(scene.server.credentials.map(({ credential }) => credential), ['token 1', 'token 3']);
});

test('first messages belong to the first session, and the id is known while one is', () => {
  const scene = createScene({ reopen: true, first: ['login'] });
  assert.equal(scene.client.id, '');
  scene.advance(3000);
  scene.session.close(1012, '');
  scene.advance(REOPEN_MS + 500);
  assert.deepEqual(scene.server.sessions.map(({ inbox }) => inbox), [['login'], []]);
  assert.deepEqual(scene.server.sessions.map(({ id }) => id), [scene.seen.reopens[0].previous, scene.client.id]);
  assert.deepEqual(scene.seen.reopens[0].unacknowledged, []);
});

test('each new session is opened with a credential of its own', () => {
  const asked = [];
  const scene = reopening({
    authorize: (why) => {
      asked.push(why);
      return `token ${asked.length}`;
    },
  });
  scene.session.close(1012, '');
  scene.advance(REOPEN_MS + 500);
  scene.session.close(4935, '');
  scene.advance(REOPEN_MS + 500);
  assert.deepEqual(asked, ['open', 'reopen', 'expired']);
  assert.deepEqual(scene.server.credentials.map(({ credential }) => credential), ['token 1', 'token 2', 'token 3']);
  assert.equal(scene.client.readyState, 1);
});

test('after 4966 a credential is asked for once; the next 4966 is final, and null is at once', () => {
  for (const [gives, reopens, sessions] of [['good', 1, 2], ['bad', 0, 1], [null, 0, 1]]) {
    const asked = [];
    const scene = reopening({
      authorize: (why) => {
        asked.push(why);
        return why === 'open' ? 'first' : gives;
      },
      server: { judge: (credential) => (credential === 'bad' ? 4966 : undefined) },
    });
    scene.session.close(4966, 'who?');
    scene.advance(60000);
    assert.deepEqual(asked, ['open', 'expired']);
    assert.equal(scene.seen.reopens.length, reopens, gives);
    assert.deepEqual(scene.seen.closes.map(({ code }) => code), reopens ? [] : [4966]);
    assert.equal(scene.server.sessions.length, sessions);
  }
  const anonymous = reopening({ authorize: 'text' });
  anonymous.session.close(4966, '');
  anonymous.advance(60000);
  assert.equal(anonymous.seen.closes[0].code, 4966);
});

test('an application that is slow to say who it is opens when it has said so', () => {
  let done;
  const scene = reopening({ authorize: (why, answer) => (why === 'open' ? 'first' : void (done = answer)) });
  scene.session.close(1012, '');
  scene.advance(REOPEN_MS + 1000);
  assert.equal(scene.client.readyState, 0);
  done('second');
  scene.advance(100);
  assert.equal(scene.client.readyState, 1);
});

/** Many clients of one server, which dies with all that it knows, and returns. */
function crowd(count, awayMs) {
  const clock = new Clock();
  const server = new Server(clock, { heartbeats: false });
  let isAway = false;
  const opens = [];
  const scenes = Array.from({ length: count }, (_, i) => createScene({
    clock, server, reopen: true, random: createRandom(i + 1),
    plan: { websocket: () => (isAway ? 'refused' : 'ok'), poll: () => (isAway ? 'lost' : 'ok') },
  }));
  const backAt = scenes.map(({ client }, i) => {
    client.onreopen = () => { backAt[i] = clock.now(); };
    return 0;
  });
  clock.advance(1000);
  assert.equal(server.sessions.length, count);
  isAway = true;
  server.sessions.forEach((session) => { session.ended = true; });
  scenes.forEach(({ network }) => network.websockets.forEach((websocket) => websocket.die(1006)));
  const { open } = server;
  server.open = function (request, how) {
    opens.push(clock.now());
    return open.call(this, request, how);
  };
  clock.advance(awayMs);
  isAway = false;
  const returnedAt = clock.now();
  clock.advance(10000);
  return { scenes, server, opens, back: backAt.map((at) => at - returnedAt) };
}

for (const awayMs of [2000, 20000]) {
  test(`a thousand clients of a server that was away for ${awayMs} ms come back evenly`, () => {
    const { scenes, server, opens, back } = crowd(1000, awayMs);
    assert.ok(back.every((ms) => ms > 0 && ms <= 5500), `after ${Math.min(...back)} to ${Math.max(...back)} ms`);
    let most = 0;
    for (let from = 0, to = 0; to < opens.length; to++) {
      for (; opens[to] - opens[from] >= 100; from++) { /* slides */ }
      most = Math.max(most, to - from + 1);
    }
    assert.ok(most <= 45, `${most} opens in 100 ms`);
    assert.equal(opens.length, 1000, 'one each');
    assert.ok(scenes.every(({ seen }) => !seen.closes.length && seen.reopens.length === 1));
    assert.deepEqual(server.errors, []);
  });
}
