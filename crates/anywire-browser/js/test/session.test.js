// The rooms without a connection: outbox, session, timers, and what counts texts and bytes.

import { test } from 'node:test';
import assert from 'node:assert';
import { Clock } from './support/clock.js';
import { createOutbox } from '../src/outbox.js';
import { createSession } from '../src/session.js';
import { createTimer } from '../src/timers.js';
import { fromBase64, toBase64 } from '../src/wire/base64.js';
import { testFull, utf8Length, wellFormed } from './support/builds.js';

const text = (content) => ({ letter: 't', content, bytes: content.length });

const OPENED = {
  version: 1, session: 'session', secret: 'secret', generation: 1, received: 0, first: 0,
  protocol: 'chat', later: true,
  limits: {
    maxMessageBytes: 1048576, closeTimeoutMs: 10000, ackDelayMs: 50, heartbeatTimeoutMs: 'soon',
  },
};

function openSession(clock = new Clock()) {
  const seen = { messages: [], ends: [], transmits: 0 };
  const session = createSession(clock, 'key', ['chat'], {
    toData: (bytes) => bytes,
    onmessage: (data) => seen.messages.push(data),
    onbuffer: () => {},
    ontransmit: () => seen.transmits++,
    onend: (code, reason, wasClean, tell) => seen.ends.push({ code, reason, wasClean, tell }),
  });
  session.handleOpened(JSON.stringify(OPENED));
  return { session, seen, clock };
}

test('the outbox keeps messages until they are acknowledged', () => {
  const outbox = createOutbox();
  ['a', 'bb', 'ccc'].forEach((content) => outbox.push(text(content)));
  assert.equal(outbox.take(0).content, 'a');
  assert.equal(outbox.take(1).content, 'bb');
  assert.deepEqual([outbox.base, outbox.end, outbox.bytes], [0, 3, 6]);
  assert.equal(outbox.ack(1, 1), true);
  assert.deepEqual([outbox.base, outbox.end, outbox.bytes], [1, 3, 5]);
  assert.equal(outbox.take(1).content, 'bb');
});

test('the outbox ignores an ack below an earlier one', () => {
  const outbox = createOutbox();
  outbox.push(text('a'));
  outbox.take(0);
  assert.equal(outbox.ack(1, 1), true);
  assert.equal(outbox.ack(0, 0), false);
  assert.equal(outbox.ack(1, 1), false);
  assert.equal(outbox.base, 1);
});

test('the outbox refuses an ack of what was accepted but never sent', () => {
  const outbox = createOutbox();
  outbox.push(text('a'));
  outbox.push(text('b'));
  outbox.take(0);
  assert.throws(() => outbox.ack(2, 2), { code: 4963 });
  assert.equal(outbox.ack(1, 1), true);
});

test('the outbox keeps what is acknowledged but was not carried by what counts', () => {
  const outbox = createOutbox();
  ['a', 'b'].forEach((content) => outbox.push(text(content)));
  outbox.batch(100, 10);
  assert.equal(outbox.ack(2, 1), true);
  assert.equal(outbox.base, 1);
  assert.equal(outbox.ack(2, 1), false);
  assert.equal(outbox.ack(2, 2), true);
  assert.equal(outbox.base, 2);
});

test('a batch is as much as fits, and at least one message', () => {
  const outbox = createOutbox();
  ['x'.repeat(100), 'y', 'z'].forEach((content) => outbox.push(text(content)));
  assert.equal(outbox.batch(10, 10).length, 1);
  assert.equal(outbox.batch(170, 10).length, 2);
  assert.equal(outbox.batch(1000, 10).length, 3);
  assert.equal(outbox.batch(1000, 2).length, 2);
});

test('the session drops what it has received and refuses a gap', () => {
  const { session, seen } = openSession();
  session.handleMessage(0, 't', 'a');
  session.handleMessage(0, 't', 'a');
  session.handleMessage(1, 't', 'b');
  assert.deepEqual(seen.messages, ['a', 'b']);
  assert.throws(() => session.handleMessage(3, 't', 'd'), { code: 4961 });
  assert.equal(session.attachContent(7), 'session secret 7 2');
  assert.equal(session.attachContent(7, 0), 'session secret 7 2 0');
});

test('opened brings the limits, and those that make no sense stay as they were', () => {
  const { session } = openSession();
  assert.equal(session.limits.ackDelayMs, 50);
  assert.equal(session.limits.heartbeatTimeoutMs, 8000);
  assert.equal(session.protocol, 'chat');
});

test('opened is refused when it is broken, of another session, or leaves messages out', () => {
  const { session } = openSession();
  const reopen = (change) => () => session.handleOpened(JSON.stringify({ ...OPENED, ...change }));
  assert.throws(() => session.handleOpened('{'), { code: 4960 });
  assert.throws(() => session.handleOpened('null'), { code: 4960 });
  assert.throws(reopen({ version: 2 }), { code: 4960 });
  assert.throws(reopen({ secret: '' }), { code: 4960 });
  assert.throws(reopen({ received: undefined }), { code: 4960 });
  assert.throws(reopen({ session: 'other' }), { code: 4960 });
  assert.throws(reopen({ first: 1 }), { code: 4961 });
  assert.throws(reopen({ received: 1 }), { code: 4963 });
});

test('a session ends once', () => {
  const { session, seen } = openSession();
  session.handleClose({ code: 1001, reason: 'first' });
  session.abort(4960, 'second');
  session.end(1006, 'third');
  assert.deepEqual(seen.ends, [{ code: 1001, reason: 'first', wasClean: true, tell: true }]);
});

test('an outbox that nobody empties ends the session', () => {
  const { session, seen, clock } = openSession();
  const large = new Uint8Array(1048576);
  for (let i = 0; i < 64; i++) {
    session.send(large);
  }
  clock.advance(0);
  assert.deepEqual(seen.ends, []);
  session.send(large);
  clock.advance(0);
  assert.equal(seen.ends[0].code, 4932);
});

test('a timer holds one deadline, and moves it forward only', () => {
  const clock = new Clock();
  let fired = 0;
  const timer = createTimer(clock, () => fired++);
  timer.by(clock.now() + 100);
  timer.by(clock.now() + 200);
  clock.advance(100);
  assert.equal(fired, 1);
  timer.by(clock.now() + 100);
  timer.by(clock.now() + 50);
  clock.advance(50);
  assert.equal(fired, 2);
  timer.set(10);
  timer.set(1000);
  clock.advance(999);
  assert.equal(fired, 2);
  timer.stop();
  clock.advance(1000);
  assert.equal(fired, 2);
});

test('UTF-8 lengths are right for every plane', () => {
  const samples = ['', 'a', '\u007f\u0080', '\u07ff\u0800', '\uffff', '😀', 'aé€😀\u0000'];
  for (const sample of samples) {
    assert.equal(utf8Length(sample), Buffer.byteLength(sample), JSON.stringify(sample));
  }
});

testFull('texts become well-formed as String.prototype.toWellFormed makes them', () => {
  const samples = ['a', '😀', '\ud83d', '\ude00', '\ude00\ud83d', '\ud83d\ud83d\ude00\ude00'];
  for (const sample of samples) {
    assert.equal(wellFormed(sample), sample.toWellFormed());
  }
});

test('base64 is that of everybody', () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 89 + length) & 255);
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  }
});
