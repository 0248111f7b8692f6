/**
 * Owns the options with their defaults, and so what the client takes from the browser: constructors, timers, randomness.
 * Leaves what the options mean to index.d.ts, and their checks to where they are used.
 */

import { platformOptions } from '#platform/engine.js';
import root from './root.js';

/**
 * @param {object} [options]
 * @returns {Settings}
 */
export function createSettings(options) {
  /** @type {Record<string, unknown>} */
  var settings = {
    httpDelayMs: 300,
    connectTimeoutMs: 20000,
    backoff: { minMs: 500, maxMs: 30000 },
    withCredentials: true,
    WebSocket: root.WebSocket,
    XMLHttpRequest: root.XMLHttpRequest,
    random: Math.random,
    first: [],
    date: function () {
      return new Date().getTime();
    },
    setTimeout: setTimeout,
    clearTimeout: clearTimeout
  };

  /** @param {Record<string, unknown>} some */
  function set(some) {
    for (var name in some) {
      if (some[name] !== undefined) {
        settings[name] = some[name];
      }
    }
  }

  set(platformOptions());
  set(/** @type {Record<string, unknown>} */ (options));
  return /** @type {any} */ (settings);
}
