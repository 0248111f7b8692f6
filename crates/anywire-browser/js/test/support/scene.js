// A client, a network and a server on one clock, with a record of what the application saw.

import assert from 'node:assert/strict';

import { Anywire as Tested, reopen as tested } from './builds.js';
import { Clock } from './clock.js';
import { Server } from './server.js';
import { createNetwork } from './network.js';

/**
 * Beside the client's own options: the network's `plan`, the `server` or its options, a `clock` that others have
 * too, another build of `Anywire`, `lateMs()`, by which the client's timers are late, and `browser(network)`, what else the
 * engine has or lacks.
 */
function createScene({
  plan, clock = new Clock(), server: serverOptions, protocols, url, Anywire, lateMs = () => 0, browser = () => ({}), ...options
} = {}) {
  const server = serverOptions instanceof Server ? serverOptions : new Server(clock, serverOptions);
  const network = createNetwork(clock, server, plan);
  const beacons = [];
  if (options.reopen && typeof options.reopen !== 'function') {
    // As an application writes it that imports it.
    options.reopen = tested(options.reopen);
  }
  const client = new (Anywire || Tested)(url || 'ws://example.test/anywire', protocols, {
    WebSocket: network.WebSocket,
    XMLHttpRequest: network.XMLHttpRequest,
    setTimeout: (callback, ms) => {
      // Node warns of timers that lie in the past.
      assert(ms >= 0, `a timer of ${ms} ms`);
      return clock.setTimeout(callback, ms + lateMs());
    },
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    turns: clock.turns,
    date: () => clock.now() + clock.jump,
    localStorage: {},
    // Arrives, and nobody reads the answer.
    beacon: (url, body, withCredentials) => {
      beacons.push({ url, body, withCredentials });
      server.poll(typeof body === 'string' ? 'text/plain' : 'application/octet-stream', body, () => {});
      return true;
    },
    random: () => 0.5,
    // What carries down otherwise has tests of its own.
    transports: ['websocket', 'poll'],
    ...browser(network, clock, server),
    ...options,
  });
  const seen = { events: [], messages: [], closes: [], transports: [], reopens: [] };
  client.binaryType = 'arraybuffer';
  for (const type of ['open', 'message', 'error', 'close', 'transport', 'reopen']) {
    client.addEventListener(type, (event) => {
      seen.events.push(type);
      if (type === 'message') {
        seen.messages.push(event.data);
      } else if (type === 'close') {
        seen.closes.push({ code: event.code, reason: event.reason, wasClean: event.wasClean });
      } else if (type === 'reopen') {
        seen.reopens.push(event);
      } else if (type === 'transport') {
        seen.transports.push(event.transport);
      }
    });
  }
  return {
    clock, server, network, client, seen, beacons,
    advance: (ms) => clock.advance(ms),
    /** The WebSocket that was made last. */
    get websocket() {
      return network.websockets[network.websockets.length - 1];
    },
    get session() {
      return server.session;
    },
  };
}

export { createScene };
