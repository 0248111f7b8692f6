// What carries down below the WebSocket: streams, event streams, and the hold that follows them.

import { test } from 'node:test';
import assert from 'node:assert';
import { createScene } from './support/scene.js';
import { createMemory } from '../src/memory.js';
import { decodePayload } from './support/packets.js';
import { payload, PRELUDE, PADDING, withStreams } from './support/streams.js';

const last = (list) => list[list.length - 1];
const holds = ({ network }) => network.requests.filter(
  ({ body }) => / 25000$/.test(decodePayload(body)[0].content));

/** A client that polls and may stream, at the time of its first stream. */
function streaming({ how, ...options } = {}) {
  let streams;
  const scene = createScene({
    transports: ['stream', 'poll'], encoding: 'text', ...options,
    browser: (network) => {
      const browser = withStreams(network, how);
      streams = browser.streams;
      return { XMLHttpRequest: browser.Request };
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
  assert.equal(scene.client.transport, 'poll', 'it may have filled a buffer');
  scene.advance(50);
  assert.equal(scene.client.transport, 'stream');
  scene.streams[0].grow(down(scene, 'one') + down(scene, 'two'));
  scene.advance(0);
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

test('what comes is acknowledged in time also while the server takes nothing', () => {
  const scene = createScene({ transports: ['stream', 'poll'] });
  scene.advance(3000);
  assert.equal(scene.client.transport, 'stream');
  scene.session.room = 0;
  scene.client.send('waits');
  scene.advance(30000);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 512; i++) {
      scene.session.send('down');
    }
    scene.advance(200);
    assert.equal(scene.session.first, scene.session.end, `round ${round}`);
  }
});

test('a stream may be cut anywhere', () => {
  const scene = streaming();
  const whole = PRELUDE + down(scene, 'é😀:3:t') + down(scene, '') + payload(['a', '0']);
  for (const unit of whole.split('')) {
    scene.streams[0].grow(unit);
  }
  scene.advance(0);
  assert.deepEqual(scene.seen.messages, ['é😀:3:t', '']);
});

test('a stream that rotates is followed by another, and what it cut comes again', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE + down(scene, 'one'));
  scene.advance(200);
  down(scene, 'two');
  scene.streams[0].finishStream('3:tt');
  assert.equal(scene.streams.length, 2);
  assert.match(scene.streams[1].packets[0].content, / 1$/);
  scene.streams[1].grow(PRELUDE + payload(['n', '1'], ['t', 'two']));
  scene.advance(0);
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
    scene.advance(350000);
    assert.equal(scene.streams.length, 2);
    assert.deepEqual(scene.server.errors, []);
  });
}

test('a stream that rotates before it is proven is followed by another, which is asked', () => {
  const scene = streaming();
  const [stream] = scene.streams;
  stream.answer = () => {};
  stream.grow(PRELUDE + down(scene, 'one'));
  scene.advance(30);
  stream.finishStream(down(scene, 'two'));
  assert.equal(scene.client.transport, 'poll');
  scene.streams[1].grow(PRELUDE);
  scene.advance(50);
  assert.equal(scene.client.transport, 'stream');
  assert.deepEqual(scene.seen.messages, ['one', 'two']);
});

test('a stream whose bytes all come at its end is left, and they count', () => {
  const scene = streaming();
  scene.streams[0].finishStream(PRELUDE + down(scene, 'one'));
  scene.advance(0);
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

test('a stream that falls mute is asked, and followed by a hold where no padding comes', () => {
  const scene = streaming();
  const [stream] = scene.streams;
  stream.grow(PRELUDE);
  scene.advance(15000);
  stream.grow(PADDING);
  scene.advance(17900);
  assert.equal(scene.client.transport, 'stream');
  scene.advance(5000);
  assert.equal(scene.client.transport, 'stream', 'its answer keeps it');
  stream.answer = () => {};
  scene.advance(19500);
  assert.equal(scene.client.transport, 'poll');
  assert.equal(holds(scene).length, 1);
  assert.equal(last(scene.client.trace).result, 'silent held back');
});

test('an idle stream is asked seldom, also where its padding comes behind the answer', () => {
  const scene = streaming();
  const [stream] = scene.streams;
  stream.answer = () => scene.clock.setTimeout(() => stream.grow(PADDING), 200);
  stream.grow(PRELUDE);
  for (let i = 0; i < 4; i++) {
    scene.advance(15000);
    stream.grow(PADDING);
  }
  assert.equal(scene.client.transport, 'stream');
  const questions = scene.network.requests.filter(
    ({ body }) => decodePayload(body).some(({ letter }) => letter === '-'));
  assert.equal(questions.length, 1);
});

test('failures of a proven stream that are long apart are not remembered', () => {
  const scene = streaming();
  for (let number = 0; number < 3; number++) {
    const stream = last(scene.streams);
    stream.grow(PRELUDE);
    scene.advance(100);
    assert.equal(scene.client.transport, 'stream', `${number}`);
    stream.answer = () => {};
    scene.advance(20000);
    assert.equal(stream.isAborted, true);
    scene.session.send('over a hold');
    scene.advance(100);
    const next = last(scene.streams);
    assert.notEqual(next, stream);
    next.grow(PRELUDE);
    for (let i = 0; i < 44; i++) {
      scene.advance(15000);
      next.grow(PADDING);
    }
    next.finishStream();
    scene.advance(100);
  }
});

test('a stream whose first bytes filled a buffer, and whose next are held back, is left', () => {
  const scene = streaming();
  const [stream] = scene.streams;
  stream.answer = () => {};
  stream.grow(PRELUDE + down(scene, 'one'));
  down(scene, 'two');
  scene.advance(1500);
  assert.deepEqual(scene.seen.messages, ['one', 'two']);
  assert.equal(stream.isAborted, true);
  assert.equal(last(scene.client.trace).result, 'silent held back');
  assert.deepEqual(scene.seen.transports, ['poll']);
});

test('a proven stream whose tail is held back is left too; it is tried again once', () => {
  const scene = streaming();
  for (const number of [0, 1]) {
    const stream = scene.streams[number];
    stream.grow(PRELUDE);
    scene.advance(100);
    stream.answer = () => {};
    stream.grow(down(scene, `head ${number}`));
    down(scene, `tail ${number}`);
    scene.advance(2500);
    assert.equal(stream.isAborted, true);
    assert.equal(last(scene.seen.messages), `tail ${number}`);
  }
  scene.session.send('over a hold');
  scene.advance(60000);
  assert.equal(scene.streams.length, 2);
  assert.deepEqual(scene.seen.messages, ['head 0', 'tail 0', 'head 1', 'tail 1', 'over a hold']);
});

test('a stream slow enough to be asked meanwhile is kept while it brings something', () => {
  const scene = streaming();
  const [stream] = scene.streams;
  stream.answer = () => {};
  stream.grow(PRELUDE);
  for (const unit of down(scene, 'a slow message')) {
    scene.advance(1000);
    stream.grow(unit);
  }
  stream.grow(PADDING);
  scene.advance(0);
  assert.deepEqual(scene.seen.messages, ['a slow message']);
  assert.equal(scene.client.transport, 'stream');
});

test('a stream that is silent because the whole line is dead is not remembered', () => {
  const localStorage = {};
  const scene = streaming({ localStorage });
  scene.network.plan.poll = () => 'lost';
  scene.advance(20000);
  assert.deepEqual(Object.keys(localStorage), []);
  scene.network.plan.poll = () => 'ok';
  const before = scene.streams.length;
  while (scene.streams.length === before) {
    scene.advance(100);
  }
  last(scene.streams).grow(PRELUDE);
  scene.advance(100);
  assert.equal(scene.client.transport, 'stream');
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
  scene.advance(0);
  assert.deepEqual(scene.seen.closes, [{ code: 3001, reason: 'bye', wasClean: true }]);
  assert.equal(scene.streams[0].isAborted, true);
});

test('a transport is told of only while it carries', () => {
  const scene = streaming();
  scene.streams[0].grow(PRELUDE);
  scene.advance(100);
  scene.network.plan.poll = () => 'lost';
  scene.client.send('x');
  scene.advance(100);
  assert.equal(scene.client.transport, 'reconnecting');
  scene.network.plan.poll = () => 'ok';
  scene.advance(1000);
  scene.streams[1].grow(PRELUDE);
  scene.advance(100);
  assert.deepEqual(scene.seen.transports, ['poll', 'stream', 'reconnecting', 'poll', 'stream']);
});

test('a path that holds answers back is remembered until the network changes', () => {
  const localStorage = {};
  const scene = streaming({ localStorage });
  scene.advance(3000);
  assert.deepEqual(Object.keys(localStorage), [], 'the line may be dead');
  scene.session.send('it is not');
  scene.advance(100);
  assert.deepEqual(Object.keys(localStorage), ['anywire ws://example.test stream']);
  const later = { localStorage, date: () => 1_010_000 };
  assert.equal(streaming(later).streams.length, 0);
  createMemory({ localStorage, date: () => 0 }, 'ws://example.test').forget_();
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
    /\/events\?anywire\.offer=anywire\.v1,anywire\.attach\.[0-9a-f]{32}\.[0-9a-f]{32}\.\d+\.0$/);
  assert.equal(source.options.withCredentials, true);
  source.onmessage({ data: payload(['a', '0']) });
  scene.advance(100);
  source.onmessage({ data: PADDING });
  scene.advance(0);
  assert.equal(scene.client.transport, 'events');
  source.onmessage({ data: down(scene, 'a\r\n%').replace(/[%\r\n]/g, encodeURIComponent) });
  scene.advance(0);
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
