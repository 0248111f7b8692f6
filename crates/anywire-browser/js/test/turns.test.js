// Each event has a turn of its own: what awaited the one before has run.

import { test } from 'node:test';
import assert from 'node:assert';
import { createDispatch } from '../src/dispatch.js';
import { takeTurns } from '../src/turns.js';
import { createScene } from './support/scene.js';
import { load } from './support/engine.js';
import { testFull } from './support/builds.js';

/** Waits as deep as a chain of asynchronous functions may be. */
async function deeply(depth) {
  return depth ? deeply(depth - 1) : undefined;
}

/** What awaits an event, and then sets the handler of the next. */
async function chained(dispatch, count) {
  const seen = [];
  let handler = null;
  const next = () => new Promise((resolve) => { handler = resolve; });
  for (let i = 0; i < count; i++) {
    dispatch(() => {
      const taken = handler;
      handler = null;
      taken?.(i);
    });
  }
  while (seen.length < count) {
    seen.push(await next());
    await deeply(50);
  }
  return seen;
}

test('what awaits an event hears the next, however deep it waits', async () => {
  const seen = await chained(createDispatch({ turns: takeTurns }), 1000);
  assert.deepEqual(seen, Array.from({ length: 1000 }, (_, i) => i));
});

testFull('so it is over a port, and over timers, in engines that have no other tasks', async () => {
  for (const others of [{ MessageChannel }, {}]) {
    const { port1, port2 } = new MessageChannel();
    port1.close();
    port2.close();
    const made = [];
    // Node keeps a process alive for a port.
    const Channel = others.MessageChannel && class {
      constructor() {
        const channel = new MessageChannel();
        made.push(channel.port1);
        return channel;
      }
    };
    const { createDispatch, takeTurns } = load({ Promise, setTimeout, MessageChannel: Channel, URL, Uint8Array });
    const seen = await chained(createDispatch({ turns: takeTurns }), 100);
    assert.equal(seen.length, 100);
    assert.equal(made.length, Channel ? 1 : 0);
    made.forEach((port) => port.close());
  }
});

testFull('a page whose promises are its own, and late, hears every event', async () => {
  class Late {
    static resolve() {
      return new Late();
    }
    then(settled) {
      setTimeout(settled, 0);
    }
  }
  const made = [];
  class Channel {
    constructor() {
      const channel = new MessageChannel();
      made.push(channel.port1);
      return channel;
    }
  }
  const { createDispatch, takeTurns } = load({ Promise: Late, setTimeout, MessageChannel: Channel, URL, Uint8Array });
  const dispatch = createDispatch({ turns: takeTurns });
  const seen = [];
  await new Promise((resolve) => {
    const hear = (i) => {
      seen.push(i);
      handler = null;
      Late.resolve().then(() => { handler = hear; });
      if (i === 299) {
        resolve();
      }
    };
    let handler = hear;
    for (let i = 0; i < 300; i++) {
      dispatch(() => handler?.(i));
    }
  });
  assert.equal(seen.length, 300);
  made.forEach((port) => port.close());
});

testFull('where nothing can be awaited, events come at once, and in order', () => {
  const { createDispatch, takeTurns } = load({ URL, Uint8Array });
  const dispatch = createDispatch({ turns: takeTurns });
  const seen = [];
  dispatch(() => {
    dispatch(() => seen.push(2));
    seen.push(1);
  });
  assert.deepEqual(seen, [1, 2]);
});

for (const transport of ['websocket', 'poll']) {
  test(`a page that awaits hears every event: ${transport}`, async () => {
    const scene = createScene({ transports: [transport], turns: takeTurns });
    const { client } = scene;
    const settle = () => new Promise((resolve) => { setImmediate(resolve); });
    const run = async (ms) => {
      for (let i = 0; i < 40; i++) {
        scene.advance(ms / 40);
        await settle();
      }
    };
    const once = (type) => new Promise((resolve) => { client[`on${type}`] = resolve; });
    scene.server.onsession = (session) => session.send('greeting');
    const heard = [];
    const page = (async () => {
      await once('open');
      heard.push(`open ${client.readyState}`);
      for (let i = 0; i < 4; i++) {
        heard.push((await once('message')).data);
        await deeply(20);
      }
      heard.push(`close ${(await once('close')).code} ${client.readyState}`);
    })();
    await run(1000);
    scene.session.send('one');
    scene.session.send('two');
    scene.session.send('three');
    scene.session.close(3001, '');
    await run(1000);
    await page;
    assert.deepEqual(heard, ['open 1', 'greeting', 'one', 'two', 'three', 'close 3001 3']);
  });
}

test('a page that closes in a message hears no more of them, and is not closed before the close', async () => {
  const scene = createScene({ transports: ['poll'] });
  scene.advance(1000);
  const states = [];
  scene.client.onmessage = ({ data }) => states.push(`${data} ${scene.client.readyState}`);
  scene.client.onclose = () => states.push(`close ${scene.client.readyState}`);
  scene.session.send('one');
  scene.session.send('two');
  scene.session.close(3001, '');
  scene.advance(1000);
  assert.deepEqual(states, ['one 1', 'two 1', 'close 3']);
});

test('what is sent after the server has closed, and before the page hears of it, counts as ignored', () => {
  const pumps = [];
  const takeThem = () => {
    while (pumps.length) {
      if (!pumps[0]()) {
        pumps.shift();
      }
    }
  };
  const scene = createScene({ transports: ['poll'], turns: (pump) => pumps.push(pump) });
  scene.advance(1000);
  takeThem();
  scene.client.onmessage = () => scene.client.send('12345');
  scene.session.send('one');
  scene.session.close(3001, '');
  scene.advance(1000);
  takeThem();
  assert.equal(scene.client.bufferedAmount, 5);
  assert.deepEqual(scene.session.inbox, []);
  assert.deepEqual(scene.seen.closes.map(({ code }) => code), [3001]);
});

test('a close between the end of a session and its event leaves no timer behind', () => {
  const scene = createScene({ transports: ['websocket'] });
  scene.advance(1000);
  scene.client.onmessage = () => scene.client.close(3002);
  scene.session.send('one');
  scene.session.close(3001, '');
  scene.advance(100);
  assert.deepEqual(scene.seen.closes.map(({ code }) => code), [3001]);
  assert.deepEqual(scene.clock.due, []);
});
