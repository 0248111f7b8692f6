// The traces that this negotiation and the Rust one answer to alike: events in, decisions out.

import { test } from 'node:test';
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createNegotiation } from '../src/negotiation/negotiation.js';

const vectors = path.join(import.meta.dirname, '../../../../tests/vectors/negotiation.json');

const SETTINGS = {
  httpDelayMs: 300, connectTimeoutMs: 20000, backoff: { minMs: 500, maxMs: 30000 },
  random: () => 0.5,
};

function say([what, object, generation]) {
  const said = {
    start: `start ${object} ${generation || 'later'}`,
    attach: `attach ${generation}`,
    carrier: `carrier ${object || 'none'}`,
    missing: 'missing',
    remember: object === 'fails' ? 'remember fails' : `remember works ${object}`,
  };
  return said[what] || `${what} ${object || ''}`.trim();
}

function feed(negotiation, event, now) {
  const [what, leg, outcome, retryAfterMs, status] = event.split(' ');
  const inputs = {
    lost: ['lost', leg, outcome, status ? `http ${status}` : '', +retryAfterMs],
    network: ['returned', '', true],
    forbid: ['allow', leg, false],
    allow: ['allow', leg, true],
  };
  negotiation.feed_(now, ...(inputs[what] || [what, leg]));
}

/** Runs a trace: what was decided when, and the attempts at the end. */
function run({ events, until, memory, without }) {
  const negotiation = createNegotiation(
    SETTINGS, { websocket: without !== 'websocket', poll: without !== 'poll' }, memory);
  const decisions = [];
  const drain = (now) => {
    for (const decision of negotiation.decisions_.splice(0)) {
      decisions.push(`${now} ${say(decision)}`);
    }
  };
  for (const [at, event] of [...events, [until]]) {
    for (let due; (due = negotiation.timeout_()) <= at;) {
      negotiation.feed_(due, 'timeout');
      drain(due);
    }
    if (event) {
      feed(negotiation, event, at);
      drain(at);
    }
  }
  const attempts = negotiation.trace_.attempts_.map(
    ({ leg, phase, ms, result }) => `${leg} ${phase} ${ms} ${result.split(' ')[0]}`);
  return { decisions, attempts };
}

for (const trace of JSON.parse(readFileSync(vectors, 'utf8')).traces) {
  test(trace.name, () => {
    const { decisions, attempts } = trace;
    assert.deepEqual(run(trace), { decisions, attempts });
  });
}
