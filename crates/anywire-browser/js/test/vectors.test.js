// The vectors that bind the specification, the server and this client.

import { test } from 'node:test';
import { withPage } from './support/page-life.js';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createSession } from '../src/session.js';
import { isRetry, parseClose } from '../src/wire/close.js';
import { decodeAnswer } from '../src/wire/payload.js';
import { TEXT_ENCODING } from '../src/wire/text.js';
import {
  decodeFrame, decodePayload, encodeFrame, encodePayload, packText, unpackText,
} from './support/packets.js';

const load = (name) =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../../../../tests/vectors', name), 'utf8'));
const fromHex = (hex) => new Uint8Array(Buffer.from(hex, 'hex')).buffer;
const toHex = (bytes) => Buffer.from(bytes).toString('hex');
const fromVector = ([letter, content]) => ({
  letter, content: letter === 'b' ? new Uint8Array(Buffer.from(content, 'base64')) : content,
});
/** The close of a packet comes parsed. */
const decoded = ({ letter, content }) =>
  ({ letter, content: letter === 'c' ? parseClose(content) : content });
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

test('a page says that it can leave, and nothing else does', () => {
  const says = (options) => {
    const session = createSession({ now: () => 0, setTimeout, clearTimeout, ...options }, 'key', [], {});
    return [JSON.parse(session.openContent_(1)).can, session.offer_(1)];
  };
  assert.deepEqual(says(), [[], ['anywire.open.key.1']]);
  withPage(() => {
    assert.deepEqual(says(), [['leave'], ['anywire.open.key.1', 'anywire.can.leave']]);
    assert.deepEqual(says({ leave: false }), [[], ['anywire.open.key.1']]);
  });
});

for (const { code, disposition } of load('close-codes.json')) {
  test(`close code ${code}: ${disposition}`, () => {
    assert.equal(isRetry(code), disposition === 'retry');
  });
}
