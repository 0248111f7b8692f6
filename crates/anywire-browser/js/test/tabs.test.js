// Many tabs of one profile over HTTP/1.1: who holds an exchange, and what goes on without.

import { test } from 'node:test';
import assert from 'node:assert';
import { testFull } from './support/builds.js';
import { decodePayload } from './support/packets.js';
import { isHeld, Profile } from './support/profile.js';

/** Opens as many tabs as that, each seen for a while, and then hidden by the next. */
async function opened(count, how, options) {
  const profile = new Profile({ how });
  for (let i = 0; i < count; i++) {
    profile.show(profile.open(options));
    await profile.advance(300);
  }
  await profile.advance(3000);
  return profile;
}

const numbers = (profile) => profile.holders().map((tab) => profile.tabs.indexOf(tab) + 1);
const bodies = (tab) => tab.network.requests.map(({ body }) => decodePayload(body).map(({ letter }) => letter).join(''));
const sessionOf = (profile, tab) => profile.server.sessions[profile.tabs.indexOf(tab)];

/** How long each message takes that a tab sends and the server sends back. */
async function echo(profile, tab, text) {
  const session = sessionOf(profile, tab);
  const at = profile.clock.now();
  const count = tab.seen.messages.length;
  tab.client.send(text);
  let isEchoed = false;
  while (tab.seen.messages.length === count && profile.clock.now() < at + 20000) {
    await profile.advance(5);
    if (!isEchoed && session.inbox.includes(text)) {
      isEchoed = true;
      session.send(text);
    }
  }
  return profile.clock.now() - at;
}

for (const how of ['locks', 'storage']) {
  test(`${how}: of twelve tabs four hold, those seen last; each echo comes and none is lost`, async () => {
    const profile = await opened(12, how);
    assert.deepEqual(numbers(profile), [9, 10, 11, 12]);
    // The first four open as if they were alone.
    profile.maxShort = 0;
    for (let round = 0; round < 3; round++) {
      for (const tab of profile.tabs) {
        const ms = await echo(profile, tab, `${round}`);
        assert.ok(ms < 300, `${ms} ms`);
      }
    }
    for (const tab of profile.tabs) {
      sessionOf(profile, tab).send('down');
    }
    await profile.advance(1300);
    for (const tab of profile.tabs) {
      assert.deepEqual(tab.seen.messages, ['0', '1', '2', 'down']);
    }
    assert.equal(profile.maxHeld, 4);
    if (how === 'locks') {
      assert.equal(profile.maxShort, 1);
    }
    assert.deepEqual(profile.server.errors, []);
  });

  test(`${how}: twelve tabs that open at once come to the same, and all open`, async () => {
    const profile = new Profile({ how });
    profile.openMany(12);
    await profile.advance(2000);
    assert.ok(profile.tabs.every(({ client }) => client.readyState === 1));
    assert.equal(profile.holders().length, 4);
    await profile.advance(30000);
    assert.equal(profile.holders().length, 4);
    assert.deepEqual(profile.server.errors, []);
  });

  test(`${how}: a tab that is shown gets a turn, and the one loses it that was seen longest ago`, async () => {
    const profile = await opened(6, how);
    assert.deepEqual(numbers(profile), [3, 4, 5, 6]);
    profile.maxHeld = 0;
    const [first] = profile.tabs;
    profile.show(first);
    // What the page does when it is shown: the leg begins anew.
    first.client.block('poll');
    first.client.unblock('poll');
    await profile.advance(400);
    assert.deepEqual(numbers(profile), [1, 4, 5, 6]);
    assert.equal(profile.maxHeld, 4);
    await profile.advance(60000);
    assert.deepEqual(numbers(profile), [1, 4, 5, 6]);
  });

  test(`${how}: the turn of a tab that is killed goes to another`, async () => {
    const profile = await opened(7, how);
    profile.kill(profile.tabs[4]);
    assert.deepEqual(numbers(profile), [4, 6, 7]);
    for (const tab of profile.tabs.filter(({ page }) => page.isAlive)) {
      assert.ok(await echo(profile, tab, 'echo') < 300);
    }
    await profile.advance(how === 'locks' ? 1300 : 4300);
    assert.deepEqual(numbers(profile), [3, 4, 6, 7]);
    assert.equal(profile.maxHeld, 4);
  });

  test(`${how}: a tab that closes gives its turn at once, and leaves nothing`, async () => {
    const profile = await opened(5, how);
    profile.tabs[2].client.close();
    await profile.advance(how === 'locks' ? 300 : 1200);
    assert.deepEqual(numbers(profile), [1, 2, 4, 5]);
    profile.tabs.forEach(({ client }) => client.close());
    await profile.advance(2000);
    assert.deepEqual([profile.locks, profile.channels, Object.keys(profile.storage)], [[], [], []]);
    for (const { page: { listeners } } of profile.tabs) {
      assert.ok(Object.values(listeners).every((list) => !list.length), 'none is left');
    }
  });

  test(`${how}: up to four sessions ask for the same as if they were alone`, async () => {
    const seen = [how, 'nothing'].map(async (how) => {
      const profile = await opened(4, how);
      for (const tab of profile.tabs) {
        const ms = await echo(profile, tab, 'echo');
        assert.ok(ms < 90, `${ms} ms`);
      }
      await profile.advance(60000);
      assert.equal(profile.holders().length, 4);
      return profile.tabs.map(bodies);
    });
    assert.deepEqual(await seen[0], await seen[1]);
  });

  test(`${how}: sessions of one page count like tabs`, async () => {
    const profile = new Profile({ how });
    const page = profile.createPage();
    profile.openMany(6, { page });
    await profile.advance(2500);
    assert.equal(profile.holders().length, 4);
    for (const tab of profile.tabs) {
      assert.ok(await echo(profile, tab, 'echo') < 300);
    }
  });

  testFull(`${how}: four sessions stream; in a crowd none begins one`, async () => {
    const options = { transports: ['stream', 'poll'] };
    const profile = await opened(4, how, options);
    const transports = () => profile.tabs.map(({ client }) => client.transport);
    assert.deepEqual(transports(), Array(4).fill('stream'));
    profile.openMany(3, options);
    await profile.advance(60000);
    assert.deepEqual(transports(), Array(7).fill('poll'));
    assert.equal(profile.holders().length, 4);
    profile.tabs.slice(0, 3).forEach(({ client }) => client.close());
    await profile.advance(60000);
    assert.deepEqual(transports().slice(3), Array(4).fill('stream'));
  });
}

test('a page that goes releases its locks, and takes a turn when it returns', async () => {
  const profile = await opened(5);
  const [, , , , tab] = profile.tabs;
  tab.page.fire('pagehide', { persisted: true });
  await profile.advance(300);
  assert.ok(profile.locks.every(({ page }) => page !== tab.page));
  assert.ok(profile.channels.every(({ page }) => page !== tab.page));
  assert.deepEqual(numbers(profile), [1, 2, 3, 4, 5], 'its hold ends with the page');
  tab.client.block('poll');
  tab.client.unblock('poll');
  await profile.advance(400);
  assert.deepEqual(numbers(profile), [2, 3, 4, 5]);
});

test('a page that is hidden and shown while its lock is on its way has one name in the end', async () => {
  const profile = await opened(5);
  const { document } = profile.tabs[0].page;
  let reads = 0;
  Object.defineProperty(document, 'hidden', { get: () => ++reads % 5 < 2, configurable: true });
  await profile.advance(30000);
  Object.defineProperty(document, 'hidden', { value: true });
  await profile.advance(3000);
  assert.equal(profile.locks.length, 5);
  assert.equal(profile.holders().length, 4);
});

for (const protocol of ['h2', 'h3']) {
  test(`over ${protocol} nothing is shortened`, async () => {
    const profile = new Profile({ protocol });
    profile.openMany(12);
    await profile.advance(1000);
    assert.equal(profile.holders().length, 12);
    assert.equal(profile.locks.length, 0);
  });
}

test('that it is HTTP/2 may be known later', async () => {
  const profile = await opened(6);
  profile.protocol = 'h2';
  await profile.advance(27000);
  assert.equal(profile.holders().length, 6);
});

for (const how of ['mute', 'refused', 'nothing']) {
  test(`all hold where the engine's locks are ${how}`, async () => {
    const profile = new Profile({ how });
    profile.openMany(6);
    await profile.advance(1700);
    assert.equal(profile.holders().length, 6);
    assert.ok(await echo(profile, profile.tabs[0], 'echo') < 90);
  });
}

test('an application may want its tabs to know nothing of each other', async () => {
  const profile = await opened(6, 'locks', { tabs: false });
  assert.equal(profile.holders().length, 6);
  assert.equal(profile.locks.length, 0);
});

test('an exchange that hangs keeps others waiting for half a second, or one without a turn', async () => {
  const profile = await opened(8);
  profile.locks.push({ name: ' anywire tab ws://example.test ', page: {}, isHeld: true });
  await profile.advance(30000);
  const { maxShort } = profile;
  const [first] = profile.tabs;
  assert.ok(await echo(profile, profile.tabs[7], 'echo') < 700);
  assert.ok(await echo(profile, first, 'echo') < 2300);
  assert.ok(maxShort <= 4);
});

test('a session that a WebSocket carries takes no turn', async () => {
  const profile = await opened(6, 'locks', { transports: ['websocket', 'poll'] });
  assert.equal(profile.locks.length, 0);
  assert.ok(profile.tabs.every(({ client }) => client.transport === 'websocket'));
});

test('a tab without a turn makes an exchange a second', async () => {
  const profile = await opened(5);
  const [first] = profile.tabs;
  const before = first.network.requests.length;
  await profile.advance(10400);
  const made = first.network.requests.slice(before);
  assert.ok(made.length >= 9 && made.length <= 10, `${made.length}`);
  assert.ok(made.every((request) => !isHeld(request)));
});

test('without locks, and without a storage that is there, a session holds as if it were alone', async () => {
  const profile = new Profile({ how: 'storage' });
  const tab = profile.open({ localStorage: null });
  await profile.advance(5000);
  assert.equal(profile.holders().length, 1);
  sessionOf(profile, tab).send('down');
  await profile.advance(200);
  assert.deepEqual(tab.seen.messages, ['down']);
});

test('a lease of a clock that was set back does not count', async () => {
  const profile = new Profile({ how: 'storage' });
  const names = ['a', 'b', 'c', 'd'].map((id) => `anywire tab ws://page.test 19999999999999 ${id}`);
  const tab = profile.open();
  await profile.advance(1000);
  const prefix = Object.keys(profile.storage).find((key) => key.startsWith('anywire tab ')).split(' ').slice(0, 3).join(' ');
  for (const name of names) {
    profile.storage[`${prefix} 19999999999999 ${name.at(-1)}`] = profile.clock.now() + 1e12;
  }
  await profile.advance(5000);
  assert.deepEqual(profile.holders(), [tab]);
});

test('a tab without a turn that sends all the time gets what comes down slowly', async () => {
  const profile = await opened(5, 'storage');
  const [tab] = profile.tabs;
  const session = sessionOf(profile, tab);
  assert.ok(!profile.holders().includes(tab));
  session.send('x'.repeat(5000));
  for (let i = 0; i < 100 && !tab.seen.messages.length; i++) {
    tab.client.send(`${i}`);
    await profile.advance(45);
  }
  assert.equal(tab.seen.messages.length, 1);
});

test('three sessions open at once as if each were alone', async () => {
  const profile = new Profile();
  // Each open waits a second for a first answer.
  profile.openMany(3, { first: ['hello'] });
  await profile.advance(100);
  assert.deepEqual(profile.tabs.map(({ network }) => network.requests.length), [1, 1, 1]);
});
