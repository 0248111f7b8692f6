// What a page says as it goes, and what becomes of its session when it comes back (PROTOCOL §8.8).

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { withPage } from './support/page-life.js';

const TRANSPORTS = ['websocket', 'poll'];

for (const transport of TRANSPORTS) {
  test(`what a page says and closes as it goes arrives: ${transport}`, () => {
    withPage(({ fire }) => {
      const scene = createScene({ transports: [transport] });
      scene.advance(1000);
      fire('pagehide', { persisted: false });
      // Its own listener comes after ours.
      scene.client.send('bye');
      scene.client.close(3005, 'gone');
      scene.advance(100);
      assert.deepEqual(scene.session.inbox, ['bye']);
      assert.deepEqual(scene.session.closing, { code: 3005, reason: 'gone' });
      // One that stays after all hears of it when it has seen so.
      scene.advance(9000);
      assert.deepEqual(scene.seen.closes, [{ code: 3005, reason: 'gone', wasClean: true }]);
      assert.deepEqual(scene.server.errors, []);
    });
  });

  test(`a page that is seen again, without a word, goes on: ${transport}`, () => {
    withPage(({ fire }) => {
      const scene = createScene({ transports: [transport] });
      scene.advance(1000);
      fire('pagehide', { persisted: false });
      scene.client.send('still here');
      scene.advance(7000);
      scene.client.send('and here');
      scene.advance(2000);
      assert.deepEqual(scene.session.inbox, ['still here', 'and here']);
      assert.equal(typeof scene.session.left, 'object', 'the leave is undone');
      assert.equal(scene.client.transport, transport);
      assert.deepEqual(scene.server.errors, []);
    });
  });

  test(`a page that may be gone back to asks for more time, and goes on in its session: ${transport}`, () => {
    withPage(({ fire, page }) => {
      const scene = createScene({ transports: [transport] });
      scene.advance(1000);
      page.hidden = true;
      fire('pagehide', { persisted: true });
      scene.advance(100);
      assert.deepEqual(scene.session.leaves, ['60000']);
      const { generation } = scene.session;
      scene.session.send('while it was away');
      scene.advance(4000);
      page.hidden = false;
      fire('pageshow', { persisted: true });
      // The page's own listener may come first.
      scene.client.send('first');
      scene.advance(5000);
      assert.ok(scene.session.generation > generation, 'it has attached anew');
      assert.equal(scene.session.left, null);
      assert.deepEqual(scene.seen.messages, ['while it was away']);
      scene.client.send('back');
      scene.advance(1000);
      assert.deepEqual(scene.session.inbox, ['first', 'back']);
      assert.equal(scene.seen.transports.filter((shown) => shown === transport).length <= 2, true, `${scene.seen.transports}`);
      assert.equal(scene.server.sessions.length, 1);
      assert.deepEqual(scene.seen.closes, []);
      assert.deepEqual(scene.server.errors, []);
    });
  });

  test(`a server that knows no leave is told nothing: ${transport}`, () => {
    withPage(({ fire }) => {
      for (const options of [{ server: { can: [] } }, { leave: false }]) {
        const scene = createScene({ transports: [transport], ...options });
        scene.advance(1000);
        fire('pagehide', { persisted: false });
        scene.advance(1000);
        assert.equal(scene.session.leaves, undefined);
        assert.deepEqual(scene.beacons, []);
        assert.deepEqual(scene.server.errors, []);
      }
    });
  });
}

test('over HTTP a page that goes says so by a request that outlives it', () => {
  withPage(({ fire }) => {
    const scene = createScene({ transports: ['poll'] });
    scene.advance(1000);
    fire('pagehide', { persisted: false });
    assert.deepEqual(scene.session.leaves, ['']);
    assert.equal(scene.beacons.length, 1);
  });
});

test('a page that goes leaves behind what is still connecting', () => {
  withPage(({ fire }) => {
    const scene = createScene({ plan: { websocket: () => 'hangs' } });
    scene.advance(2000);
    assert.equal(scene.client.transport, 'poll');
    fire('pagehide', { persisted: false });
    assert.ok(scene.session.leftGeneration >= 2, `${scene.session.leftGeneration}`);
  });
});

test('the beacon keeps to the longest body that the server takes', () => {
  withPage(({ fire }) => {
    const scene = createScene({ transports: ['poll'], server: { limits: { maxPayloadBytes: 16384 } } });
    scene.advance(1000);
    for (let i = 0; i < 40; i++) {
      scene.client.send('x'.repeat(1000));
    }
    fire('pagehide', { persisted: false });
    assert.ok(scene.beacons[0].body.length <= 16384, `${scene.beacons[0].body.length}`);
    assert.deepEqual(scene.session.leaves, ['']);
  });
});

test('what the server has not got rides along, and the close of a page that closes as it goes', () => {
  withPage(({ fire }) => {
    const scene = createScene({ transports: ['poll'] });
    scene.advance(1000);
    scene.client.send('one');
    scene.client.send('two');
    fire('pagehide', { persisted: false });
    assert.deepEqual(scene.session.inbox, ['one', 'two']);
    assert.deepEqual(scene.session.leaves, ['']);
    // A page's own listener may come after ours.
    scene.client.send('three');
    scene.client.close(3005, 'bye');
    assert.deepEqual(scene.session.inbox, ['one', 'two', 'three']);
    assert.deepEqual(scene.session.closing, { code: 3005, reason: 'bye' });
    assert.deepEqual(scene.server.errors, []);
  });
});

test('a page that goes sends no more than engines let it', () => {
  withPage(({ fire }) => {
    const scene = createScene({ transports: ['poll'] });
    scene.advance(1000);
    for (let i = 0; i < 100; i++) {
      scene.client.send(`${i} ${'x'.repeat(1000)}`);
    }
    fire('pagehide', { persisted: false });
    const [{ body }] = scene.beacons;
    assert.ok(body.length > 10000 && body.length <= 61440, `${body.length} bytes`);
    assert.ok(scene.session.inbox.length > 10, `${scene.session.inbox.length} messages`);
    assert.deepEqual(scene.session.leaves, ['']);
  });
});

test('a page that goes sends less where its engine takes no more', () => {
  withPage(({ fire }) => {
    const taken = [];
    const beacon = (url, body) => body.length < 3000 && taken.push(body) > 0;
    const scene = createScene({ transports: ['poll'], beacon });
    scene.advance(1000);
    for (let i = 0; i < 20; i++) {
      scene.client.send('x'.repeat(1000));
    }
    fire('pagehide', { persisted: false });
    assert.equal(taken.length, 1);
  });
});

test('a page that goes while nothing carries its session says so by HTTP', () => {
  withPage(({ fire }) => {
    let fate = 'works';
    const scene = createScene({ plan: { websocket: () => fate, poll: () => fate } });
    scene.advance(2000);
    assert.equal(scene.client.transport, 'websocket');
    fate = 'refused';
    scene.websocket.die(1006);
    scene.advance(3000);
    assert.equal(scene.client.transport, 'reconnecting');
    fire('pagehide', { persisted: false });
    assert.deepEqual(scene.session.leaves, ['']);
  });
});
