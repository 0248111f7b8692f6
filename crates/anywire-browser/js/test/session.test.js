// The rooms without a connection: outbox, session, timers, and what counts texts and bytes.

import { test } from 'node:test';
import assert from 'node:assert';
import { Clock } from './support/clock.js';
import { createOutbox } from '../src/outbox.js';
import { createSession } from '../src/session.js';
import { createTimer } from '../src/timers.js';
import { fromBase64, toBase64 } from '../src/wire/base64.js';
import { testFull, utf8Length, wellFormed } from './support/builds.js';

const text = (content) => ({ letter_: 't', content_: content, bytes_: content.length });

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
    toData_: (bytes) => bytes,
    onmessage_: (data) => seen.messages.push(data),
    onbuffer_: () => {},
    ontransmit_: () => seen.transmits++,
    onstall_: () => {},
    onend_: (code, reason, wasClean, tell) => seen.ends.push({ code, reason, wasClean, tell }),
  });
  session.handleOpened_(JSON.stringify(OPENED));
  return { session, seen, clock };
}

test('the outbox keeps messages until they are acknowledged', () => {
  const outbox = createOutbox();
  ['a', 'bb', 'ccc'].forEach((content) => outbox.push_(text(content)));
  assert.equal(outbox.next_([0, 0], Infinity).content_, 'a');
  assert.equal(outbox.next_([1, 0], Infinity).content_, 'bb');
  assert.deepEqual([outbox.base_, outbox.end_, outbox.bytes_], [0, 3, 6]);
  assert.equal(outbox.ack_([1, 0], 1), true);
  assert.deepEqual([outbox.base_, outbox.end_, outbox.bytes_], [1, 3, 5]);
  assert.equal(outbox.next_([1, 0], Infinity).content_, 'bb');
});

test('the outbox ignores an ack below an earlier one', () => {
  const outbox = createOutbox();
  outbox.push_(text('a'));
  outbox.next_([0, 0], Infinity);
  assert.equal(outbox.ack_([1, 0], 1), true);
  assert.equal(outbox.ack_([0, 1], 0), false);
  assert.equal(outbox.ack_([1, 0], 1), false);
  assert.equal(outbox.base_, 1);
});

test('the outbox refuses an ack of what was accepted but never sent', () => {
  const outbox = createOutbox();
  outbox.push_(text('a'));
  outbox.push_(text('b'));
  outbox.next_([0, 0], Infinity);
  assert.throws(() => outbox.ack_([2, 0], 2), { code: 4963 });
  assert.equal(outbox.ack_([1, 0], 1), true);
});

test('the outbox keeps what is acknowledged but was not carried by what counts', () => {
  const outbox = createOutbox();
  ['a', 'b'].forEach((content) => outbox.push_(text(content)));
  const place = [0, 0];
  outbox.next_(place, Infinity);
  outbox.next_(place, Infinity);
  assert.equal(outbox.ack_([2, 0], 1), true);
  assert.equal(outbox.base_, 1);
  assert.equal(outbox.ack_([2, 0], 1), false);
  assert.equal(outbox.ack_([2, 0], 2), true);
  assert.equal(outbox.base_, 2);
});

test('the outbox gives what fits: whole messages, and parts where both sides can part', () => {
  const outbox = createOutbox();
  const next = (place, most) => {
    const piece = outbox.next_(place, most);
    return piece && [piece.letter_, piece.content_, ...place];
  };
  outbox.push_({ letter_: 't', content_: 'aé🦀z', bytes_: 8 });
  assert.equal(next([0, 0], 7), undefined);
  outbox.partBytes_ = 5;
  assert.deepEqual(next([0, 0, 0], 2), ['T', 'a', 0, 1, 1]);
  assert.deepEqual(next([0, 0, 0], 6), ['T', 'aé', 0, 3, 3]);
  assert.deepEqual(next([0, 3, 0], 9), ['t', '🦀z', 1, 0, 5]);
  assert.deepEqual(next([0, 1, 0], 4), ['T', 'é', 0, 3, 2]);
  assert.equal(next([0, 3, 0], 3), undefined);
  outbox.push_({ letter_: 'b', content_: Uint8Array.of(1, 2, 3, 4, 5, 6, 7), bytes_: 7 });
  assert.deepEqual(next([1, 0, 0], 9), ['B', Uint8Array.of(1, 2, 3), 1, 3, 3]);
  assert.equal(next([1, 3, 0], 2), undefined);
  assert.deepEqual(next([1, 3, 0], 9), ['b', Uint8Array.of(4, 5, 6, 7), 2, 0, 4]);
});

test('the outbox refuses an ack of bytes that were never sent; those of an earlier ack may fall', () => {
  const outbox = createOutbox();
  outbox.partBytes_ = 4;
  outbox.push_(text('0123456789'));
  outbox.push_(text('ab'));
  const place = [0, 0, 0];
  outbox.next_(place, 9);
  assert.throws(() => outbox.ack_([0, 5], 0), { code: 4963 });
  assert.equal(outbox.ack_([0, 4], 0), true);
  assert.equal(outbox.acked_, 4);
  assert.equal(outbox.ack_([0, 2], 0), false);
  assert.equal(outbox.acked_, 2);
  while (outbox.next_(place, 9)) { /* all of it */ }
  assert.throws(() => outbox.ack_([0, 11], 0), { code: 4963 });
  assert.equal(outbox.ack_([0, 10], 0), true);
  assert.equal(outbox.ack_([1, 0], 1), true);
  assert.equal(outbox.acked_, 0);
  assert.throws(() => outbox.ack_([2, 1], 2), { code: 4963 });
});

test('the session drops what it has received and refuses a gap', () => {
  const { session, seen } = openSession();
  session.handleMessage_([0, 0], 't', 'a');
  session.handleMessage_([0, 0], 't', 'a');
  session.handleMessage_([1, 0], 't', 'b');
  assert.deepEqual(seen.messages, ['a', 'b']);
  assert.throws(() => session.handleMessage_([3, 0], 't', 'd'), { code: 4961 });
  assert.equal(session.attachContent_(7), 'session secret 7 2');
  assert.equal(session.attachContent_(7, 0), 'session secret 7 2 0');
});

test('opened brings the limits, and those that make no sense stay as they were', () => {
  const { session } = openSession();
  assert.equal(session.limits_.ackDelayMs, 50);
  assert.equal(session.limits_.heartbeatTimeoutMs, 8000);
  assert.equal(session.protocol_, 'chat');
});

test('opened is refused when it is broken, of another session, or leaves messages out', () => {
  const { session } = openSession();
  const reopen = (change) => () => session.handleOpened_(JSON.stringify({ ...OPENED, ...change }));
  assert.throws(() => session.handleOpened_('{'), { code: 4960 });
  assert.throws(() => session.handleOpened_('null'), { code: 4960 });
  assert.throws(reopen({ version: 2 }), { code: 4960 });
  assert.throws(reopen({ secret: '' }), { code: 4960 });
  assert.throws(reopen({ received: undefined }), { code: 4960 });
  assert.throws(reopen({ session: 'other' }), { code: 4960 });
  assert.throws(reopen({ first: 1 }), { code: 4961 });
  assert.throws(reopen({ received: 1 }), { code: 4963 });
});

test('a session ends once', () => {
  const { session, seen } = openSession();
  session.handleClose_({ code: 1001, reason: 'first' });
  session.abort_(4960, 'second');
  session.end_(1006, 'third');
  assert.deepEqual(seen.ends, [{ code: 1001, reason: 'first', wasClean: true, tell: true }]);
});

test('an outbox that nobody empties ends the session', () => {
  const { session, seen, clock } = openSession();
  const large = new Uint8Array(1048576);
  for (let i = 0; i < 64; i++) {
    session.send_(large);
  }
  clock.advance(0);
  assert.deepEqual(seen.ends, []);
  session.send_(large);
  clock.advance(0);
  assert.equal(seen.ends[0].code, 4932);
});

test('a timer holds one deadline, and moves it forward only', () => {
  const clock = new Clock();
  let fired = 0;
  const timer = createTimer(clock, () => fired++);
  timer.by_(clock.now() + 100);
  timer.by_(clock.now() + 200);
  clock.advance(100);
  assert.equal(fired, 1);
  timer.by_(clock.now() + 100);
  timer.by_(clock.now() + 50);
  clock.advance(50);
  assert.equal(fired, 2);
  timer.set_(10);
  timer.set_(1000);
  clock.advance(999);
  assert.equal(fired, 2);
  timer.stop_();
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
