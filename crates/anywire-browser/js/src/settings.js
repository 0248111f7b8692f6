/**
 * Owns the options with their defaults, and so what the client takes from the browser: constructors, timers, randomness.
 * Leaves what the options mean to index.d.ts, and their checks to where they are used.
 */

import { IS_FULL, monotonicMs, TRANSPORTS } from '#platform/engine.js';
import { root } from './root.js';

/**
 * @param {any} options
 * @returns {Settings}
 */
export function createSettings(options) {
  /** @type {any} */
  var settings = {
    transports: TRANSPORTS,
    httpDelayMs: 300,
    connectTimeoutMs: 20000,
    backoff: { minMs: 500, maxMs: 30000 },
    withCredentials: true,
    WebSocket: root.WebSocket,
    XMLHttpRequest: root.XMLHttpRequest,
    random: Math.random,
    first: [],
    now: monotonicMs,
    date: function () {
      return new Date().getTime();
    },
    setTimeout: setTimeout,
    clearTimeout: clearTimeout
  };
  if (IS_FULL) {
    settings.encoding = 'auto';
    settings.EventSource = root.EventSource;
    settings.document = root.document;
  }
  for (var name in options) {
    if (options[name] !== undefined) {
      settings[name] = options[name];
    }
  }
  return settings;
}
