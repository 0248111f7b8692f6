// Packets as tests and their server have them, { letter, content }, in each form that they have on the wire.

import { BINARY_ENCODING } from '../../src/wire/bytes.js';
import * as frame from '../../src/wire/frame.js';
import { decodeText, encodeText, TEXT_ENCODING } from '../../src/wire/text.js';
import { VEILED_ENCODING } from '../../src/wire/veil.js';

const inner = ({ letter, content }) => ({ letter_: letter, content_: content });
const outer = ({ letter_, content_ }) => ({ letter: letter_, content: content_ });

export function encodePayload(packets, isBinary) {
  return (isBinary ? BINARY_ENCODING.pack_ : encodeText)(packets.map(inner));
}

/** Of a request, whose text is escaped, or of an answer without its escape. */
export function decodePayload(payload) {
  if (/^v=/.test(payload)) {
    return unveil(payload);
  }
  const packets = typeof payload === 'string' ?
    decodeText(/^b=/.test(payload) ? decodeURIComponent(payload.slice(2)) : payload) :
    BINARY_ENCODING.unpack_(payload);
  return packets.map(outer);
}

export function veil(packets) {
  return VEILED_ENCODING.pack_(packets.map(inner));
}

export function unveil(body) {
  return VEILED_ENCODING.unpack_(new TextEncoder().encode(body)).map(outer);
}

/** The body of a request in text. */
export function packText(packets) {
  return TEXT_ENCODING.pack_(packets.map(inner));
}

/** Of an answer in text. */
export function unpackText(body) {
  return TEXT_ENCODING.unpack_(body).map(outer);
}

export function encodeFrame({ letter, content }) {
  return frame.encodeFrame(letter, content);
}

export function decodeFrame(data) {
  return outer(frame.decodeFrame(data));
}
