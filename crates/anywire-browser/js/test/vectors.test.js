// The vectors that bind the specification, the server and this client.

import { test } from 'node:test';
import { Clock } from './support/clock.js';
import { withPage } from './support/page-life.js';
import { createScene } from './support/scene.js';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createSession } from '../src/session.js';
import { isRetry, parseClose } from '../src/wire/close.js';
import { decodeAnswer } from '../src/wire/payload.js';
import { TEXT_ENCODING } from '../src/wire/text.js';
import {
  decodeFrame, decodePayload, encodeFrame, encodePayload, packText, unpackText, unveil, veil,
} from './support/packets.js';

const load = (name) =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../../../../tests/vectors', name), 'utf8'));
const fromHex = (hex) => new Uint8Array(Buffer.from(hex, 'hex')).buffer;
const toHex = (bytes) => Buffer.from(bytes).toString('hex');
const fromVector = ([letter, content]) => ({
  letter, content: /b/i.test(letter) ? new Uint8Array(Buffer.from(content, 'base64')) : content,
});
/** The close of a packet comes parsed. */
const decoded = ({ letter, content }) => ({
  letter,
  content: letter === 'c' ? parseClose(content) :
    letter === 'a' || letter === 'n' ? [...content.split(' ').map(Number), 0].slice(0, 2) : content,
});
const PROTOCOL_ERROR = { code: 4960 };

const payloads = load('payloads.json');
for (const { name, packets, text, binary } of payloads.valid) {
  test(`payload: ${name}`, () => {
    const expected = packets.map(fromVector);
    if (text !== undefined) {
      assert.deepEqual(decodePayload(text), expected.map(decoded));
      assert.equal(encodePayload(expected, false), text);
    }
    if (binary !== undefined) {
      assert.deepEqual(decodePayload(fromHex(binary)), expected.map(decoded));
      assert.equal(toHex(encodePayload(expected, true)), binary);
    }
  });
}
for (const { name, text, binary } of payloads.invalid) {
  test(`${binary === undefined ? 'text' : 'binary'} payload refused: ${name}`, () => {
    const payload = binary === undefined ? text : fromHex(binary);
    // Bytes that are broken in any way are no payload; a text may come in a stream, whose error has a code.
    assert.throws(() => decodePayload(payload), typeof payload === 'string' ? PROTOCOL_ERROR : undefined);
  });
}

const escapes = load('escapes.json');
for (const { name, packets, body } of escapes.escaped) {
  test(`escaped body: ${name}`, () => {
    assert.equal(packText(packets.map(fromVector)), body);
  });
}
for (const { name, packets, data } of escapes.lines) {
  test(`escaped answer: ${name}`, () => {
    assert.deepEqual(unpackText(data), packets.map(fromVector).map(decoded));
  });
}
for (const data of ['1:n71:t%', '1:n71:t%zz', '1:n71:t%C3', '<html>100% of it']) {
  test(`escaped answer refused: ${data}`, () => {
    assert.throws(() => unpackText(data), PROTOCOL_ERROR);
  });
}

const frames = load('frames.json');
for (const { name, packet, text, binary } of frames.valid) {
  test(`frame: ${name}`, () => {
    const expected = fromVector(packet);
    assert.deepEqual(
      decodeFrame(binary === undefined ? text : fromHex(binary)), decoded(expected));
    const frame = encodeFrame(expected);
    assert.equal(binary === undefined ? frame : toHex(new Uint8Array(frame)), text ?? binary);
  });
}
for (const { name, text } of frames.invalid) {
  test(`frame refused: ${name}`, () => {
    assert.throws(() => decodeFrame(text), PROTOCOL_ERROR);
  });
}

const answers = load('answers.json');
for (const { name, text } of answers.valid) {
  test(`answer: ${name}`, () => {
    assert.equal(decodeAnswer(TEXT_ENCODING, text, false).length, decodePayload(text).length);
  });
}
for (const { name, text } of answers.invalid) {
  test(`answer refused: ${name}`, () => {
    assert.throws(() => decodeAnswer(TEXT_ENCODING, text, false), PROTOCOL_ERROR);
  });
}

const parts = load('parts.json');

/** A session that takes the payloads of a case, with what its application sees. */
function openSession() {
  const clock = new Clock();
  const messages = [];
  const session = createSession(clock, 'key', [], {
    toData_: (bytes) => bytes,
    onmessage_: (data) => messages.push(typeof data === 'string' ? ['t', data] :
      ['b', Buffer.from(data).toString('base64')]),
    onbuffer_: () => {},
    onstall_: () => {},
  });
  const { maxMessageBytes } = parts;
  session.handleOpened_(JSON.stringify({
    version: 1, session: 's', secret: 's', received: 0, first: 0, can: ['part'], limits: { maxMessageBytes },
  }));
  return { session, messages };
}

function takePayload(session, payload) {
  let place;
  for (const { letter, content } of decodePayload(encodePayload(payload.map(fromVector), true))) {
    if (letter === 'n') {
      place = content;
    } else {
      session.handleMessage_(place, letter, content);
    }
  }
}

for (const { name, payloads, messages, ack, code } of parts.cases) {
  test(`parts: ${name}`, () => {
    const { session, messages: seen } = openSession();
    const last = payloads.length - (code ? 1 : 0);
    payloads.slice(0, last).forEach((payload) => takePayload(session, payload));
    if (code) {
      assert.throws(() => takePayload(session, payloads[last]), { code });
    } else {
      assert.deepEqual(seen, messages);
      assert.equal(session.progress_(), ack);
    }
  });

  test(`parts in answers: ${name}`, () => {
    const scene = createScene({ transports: ['poll'], server: { limits: { maxMessageBytes: parts.maxMessageBytes } } });
    scene.advance(1000);
    const { session } = scene;
    session.first = 0;
    for (const payload of payloads) {
      // The answer to the hold, and then nothing that the server itself would say.
      session.connection.answer = () => {};
      const hold = scene.network.requests.findLast(({ readyState }) => readyState < 4);
      const answer = [{ letter: 'a', content: '0' }, ...payload.map(fromVector)];
      hold.finish(200, encodePayload(answer, hold.responseType === 'arraybuffer'));
      session.connection = null;
      // Whatever the client says of it is an ack of the server's own making.
      session.ack = (...said) => { session.said = said; };
      scene.advance(100);
    }
    if (code) {
      assert.equal(scene.seen.closes[0]?.code, code);
    } else {
      assert.deepEqual(scene.seen.messages.map((data) => (typeof data === 'string' ? ['t', data] :
        ['b', Buffer.from(data).toString('base64')])), messages);
      const [received, bytes = 0] = ack.split(' ').map(Number);
      assert.deepEqual(session.said, [received, bytes]);
    }
  });
}

for (const { name, frames: sequence, packets, code } of frames.sequences) {
  test(`frames: ${name}`, () => {
    const scene = createScene({ transports: ['websocket'] });
    scene.advance(100);
    // What is decoded shows in the messages and acks that follow.
    const link = scene.session.connection;
    for (let i = 0; i < 7; i++) {
      scene.client.send('up');
    }
    const receive = (frame) => scene.websocket.onmessage({ data: frame.text ?? fromHex(frame.binary) });
    sequence.forEach(receive);
    scene.advance(10);
    if (code) {
      assert.equal(scene.seen.closes[0]?.code, code);
      return;
    }
    assert.deepEqual(scene.seen.closes, []);
    if (!packets.some(([letter]) => /[tb]/.test(letter))) {
      receive({ binary: '04' });
    }
    scene.advance(10);
    const expected = packets.filter(([letter]) => /[tb]/i.test(letter)).map(fromVector);
    const [data] = scene.seen.messages;
    assert.equal(typeof data === 'string' ? data : toHex(data).replace(/04$/, ''),
      expected[0].letter === 'T' ? expected.map(({ content }) => content).join('') :
        toHex(Buffer.concat(expected.map(({ content }) => content))).replace(/04$/, ''));
    assert.ok(link);
  });
}

const veils = load('veils.json');
for (const { name, mask, packets, body } of veils.veiled) {
  test(`veil: ${name}`, () => {
    assert.deepEqual(unveil(body), packets.map(fromVector).map(decoded));
    const draw = crypto.getRandomValues;
    crypto.getRandomValues = (bytes) => {
      bytes.set(Buffer.from(mask, 'hex'));
      return bytes;
    };
    try {
      assert.equal(veil(packets.map(fromVector)), body);
    } finally {
      crypto.getRandomValues = draw;
    }
  });
}
for (const { name, body } of veils.refused) {
  test(`veil refused: ${name}`, () => {
    assert.throws(() => unveil(body));
  });
}

test('a page says that it can leave, and nothing else does', () => {
  const says = (options) => {
    const session = createSession({ ...new Clock(), ...options }, 'key', [], {});
    return [JSON.parse(session.openContent_(1)).can, session.offer_(1)];
  };
  assert.deepEqual(says(), [['part', 'credential', 'veil'], ['anywire.open.key.1', 'anywire.can.part.credential.veil']]);
  withPage(() => {
    assert.deepEqual(says(), [['part', 'credential', 'veil', 'leave'], ['anywire.open.key.1', 'anywire.can.part.credential.veil.leave']]);
    assert.deepEqual(says({ leave: false }), [['part', 'credential', 'veil'], ['anywire.open.key.1', 'anywire.can.part.credential.veil']]);
  });
});

for (const { code, disposition } of load('close-codes.json')) {
  test(`close code ${code}: ${disposition}`, () => {
    assert.equal(isRetry(code), disposition === 'retry');
  });
}
