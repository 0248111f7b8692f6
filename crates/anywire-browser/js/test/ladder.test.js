'use strict';
// What carries down below the WebSocket: streams, event streams, and the hold that follows them.

const { test } = require('node:test');
const assert = require('node:assert');
const { createScene } = require('./support/scene.js');
const { createMemory, decodePayload } = require('./support/internals.js');
const { payload, PRELUDE, withStreams } = require('./support/ladder.js');

const last = (list) => list[list.length - 1];
const holds = ({ network }) => network.requests.filter(
  ({ body }) => / 25000$/.test(decodePayload(body)[0].content));

/** A client that polls and may stream, at the time of its first stream. */
function streaming({ how, ...options } = {}) {
  let streams;
  const scene = createScene({
    transports: ['stream', 'poll'], encoding: 'text', ...options,
    browser: (network) => {
      const ladder = withStreams(network, how);
      streams = ladder.streams;
      return { XMLHttpRequest: ladder.Request };
    },
  });
  scene.advance(200);
  return Object.assign(scene, { streams });
}

/** A message of the server's, which goes where the test lets it. */
function down(scene, text) {
  scene.session.outbox.push({ letter: 't', content: text });
  return payload(['n', `${scene.session.end - 1}`], ['t', text]);
}

test('a stream carries down, what comes is acknowledged, and the transport says so', () => {
  const scene = streaming();
  assert.equal(scene.streams.length, 1);
  assert.match(scene.streams[0].packets[0].content, /^[0-9a-f]{32} [0-9a-f]{32} \d+ 0$/);
  assert.equal(scene.client.transport, 'poll');
  scene.streams[0].grow(PRELUDE + payload(['a', '0']));
  assert.equal(scene.client.transport, 'stream');
  scene.streams[0].grow(down(scene, 'one') + down(scene, 'two'));
  assert.deepEqual(scene.seen.messages, ['one', 'two']);
  scene.advance(1100);
  assert.equal(scene.session.first, 2, 'acknowledged');
  assert.equal(holds(scene).length, 0);
  assert.deepEqual(scene.server.errors, []);
});

test('a burst is acknowledged before the delay is over', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  for (let i = 0; i < 128; i++) {
    scene.streams[0].grow(down(scene, `${i}`));
  }
  scene.advance(50);
  assert.equal(scene.session.first, 128);
});

test('a stream may be cut anywhere', () => {
  const scene = streaming();
  const whole = PRELUDE + down(scene, 'é😀:3:t') + down(scene, '') + payload(['a', '0']);
  for (const unit of whole.split('')) {
    scene.streams[0].grow(unit);
  }
  assert.deepEqual(scene.seen.messages, ['é😀:3:t', '']);
});

test('a stream that rotates is followed by another, and what it cut comes again', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE + down(scene, 'one'));
  down(scene, 'two');
  scene.streams[0].finishStream('3:tt');
  assert.equal(scene.streams.length, 2);
  assert.match(scene.streams[1].packets[0].content, / 1$/);
  scene.streams[1].grow(PRELUDE + payload(['n', '1'], ['t', 'two']));
  assert.deepEqual(scene.seen.messages, ['one', 'two']);
  assert.deepEqual(scene.seen.transports, ['poll', 'stream']);
});

test('streams that end at once and bring nothing are not repeated in a hurry', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  scene.streams[0].finishStream();
  scene.advance(1000);
  assert.equal(scene.streams.length, 1);
  assert.equal(holds(scene).length, 1);
});

for (const [name, how, act] of [
  ['brings nothing', '', () => {}],
  ['shows nothing before its end', 'throws', (stream) => stream.grow(PRELUDE)],
]) {
  test(`a stream that ${name} is left within three seconds, and tried again when that is forgotten`, () => {
    const scene = streaming({ how });
    act(scene.streams[0]);
    scene.advance(3000);
    assert.equal(scene.streams[0].isAborted, true);
    assert.equal(holds(scene).length, 1);
    assert.equal(scene.client.transport, 'poll');
    assert.match(last(scene.client.trace).result, /^silent/);
    scene.session.send('over a hold');
    scene.advance(300000);
    assert.deepEqual(scene.seen.messages, ['over a hold']);
    assert.equal(scene.streams.length, 1);
    scene.advance(330000);
    assert.equal(scene.streams.length, 2);
    assert.deepEqual(scene.server.errors, []);
  });
}

test('a stream whose bytes all come at its end is left, and they count', () => {
  const scene = streaming();
  scene.streams[0].finishStream(PRELUDE + down(scene, 'one'));
  assert.deepEqual(scene.seen.messages, ['one']);
  scene.advance(100);
  assert.equal(scene.streams.length, 1);
  assert.equal(holds(scene).length, 1);
});

test('an engine that tells nothing of progress is asked for no stream', () => {
  const scene = streaming({ how: 'without progress' });
  assert.equal(scene.streams.length, 0);
  assert.equal(holds(scene).length, 1);
});

test('a stream that falls mute is followed by a hold at once; padding keeps it', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  scene.advance(15000);
  scene.streams[0].grow(payload(['-', '']));
  scene.advance(17900);
  assert.equal(scene.client.transport, 'stream');
  scene.advance(150);
  assert.equal(scene.client.transport, 'poll');
  assert.equal(holds(scene).length, 1);
  assert.equal(last(scene.client.trace).result, 'stalled mute');
});

test('a page instead of a stream is none', () => {
  const scene = streaming();
  scene.streams[0].grow('<html><p>Please log in to this network.</p></html>');
  assert.equal(scene.streams[0].isAborted, true);
  scene.advance(100);
  assert.equal(holds(scene).length, 1);
  assert.equal(scene.client.readyState, 1);
});

test('a stream that a newer connection took over attaches above it', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  scene.streams[0].grow(payload(['s', '']));
  scene.advance(200);
  const generation = (stream) => +stream.packets[0].content.split(' ')[2];
  assert.ok(generation(scene.streams[1]) > generation(scene.streams[0]));
});

test('the server closes over a stream', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE + payload(['c', '3001 bye']));
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'bye', wasClean: true }]);
  assert.equal(scene.streams[0].isAborted, true);
});

test('a transport is told of only while it carries', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  scene.network.plan.poll = () => 'lost';
  scene.client.send('x');
  scene.advance(100);
  assert.equal(scene.client.transport, 'reconnecting');
  scene.network.plan.poll = () => 'ok';
  scene.advance(1000);
  scene.streams[1].grow(PRELUDE);
  assert.deepEqual(scene.seen.transports, ['poll', 'stream', 'reconnecting', 'poll', 'stream']);
});

test('a path that holds answers back is remembered until the network changes', () => {
  const localStorage = {};
  const scene = streaming({ localStorage });
  scene.advance(3000);
  assert.deepEqual(Object.keys(localStorage), ['anywire ws://example.test stream']);
  const later = { localStorage, date: () => 1_010_000 };
  assert.equal(streaming(later).streams.length, 0);
  createMemory({ localStorage, date: () => 0 }, 'ws://example.test').forget();
  assert.deepEqual(Object.keys(localStorage), []);
  assert.equal(streaming(later).streams.length, 1);
});

class EventSource {
  constructor(url, options) {
    Object.assign(this, { url, options });
    EventSource.made.push(this);
  }

  close() {
    this.isClosed = true;
  }
}

test('an event stream carries down where a stream does not, and is made anew when it ends', () => {
  EventSource.made = [];
  const scene = createScene({ transports: ['events'], EventSource });
  scene.advance(200);
  const [source] = EventSource.made;
  assert.match(decodeURIComponent(source.url),
    /\/events\?offer=anywire\.v1,anywire\.attach\.[0-9a-f]{32}\.[0-9a-f]{32}\.\d+\.0$/);
  assert.equal(source.options.withCredentials, true);
  source.onmessage({ data: payload(['a', '0']) });
  assert.equal(scene.client.transport, 'events');
  source.onmessage({ data: down(scene, 'a\r\n%').replace(/[%\r\n]/g, encodeURIComponent) });
  assert.deepEqual(scene.seen.messages, ['a\r\n%']);
  source.onerror();
  assert.equal(source.isClosed, true);
  assert.match(decodeURIComponent(EventSource.made[1].url), /\.1$/);
});

test('an EventSource that throws, or is refused, leaves the session to holds', () => {
  for (const refuse of [true, false]) {
    EventSource.made = [];
    const scene = createScene({
      transports: ['events'],
      EventSource: refuse ? EventSource : class {
        constructor() {
          throw new Error('not across origins');
        }
      },
    });
    scene.advance(200);
    if (refuse) {
      EventSource.made[0].onerror();
    }
    scene.advance(100);
    assert.equal(holds(scene).length, 1);
    assert.equal(scene.client.transport, 'poll');
  }
});
