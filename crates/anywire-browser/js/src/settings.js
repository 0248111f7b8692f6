/**
 * Owns the options with their defaults, and so what the client takes from the browser: constructors, timers, randomness.
 * Leaves what the options mean to index.d.ts, and their checks to where they are used.
 */

import { platformOptions } from '#platform/engine.js';
import { date, has, later, random } from './language.js';
import root from './root.js';
import { sendBeacon } from './beacon.js';
import { tabsEngine } from './tabs.js';
import { takeTurns } from './turns.js';

// As they are at load: a page may put others in their place, this client among them.
var WebSocket = root.WebSocket;
var XMLHttpRequest = root.XMLHttpRequest;
var clearTimeout = root.clearTimeout;

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
    WebSocket: WebSocket,
    XMLHttpRequest: XMLHttpRequest,
    random: random,
    first: [],
    date: date,
    turns: takeTurns,
    tabs: tabsEngine,
    setTimeout: later,
    clearTimeout: clearTimeout,
    beacon: sendBeacon
  };

  /** @param {Record<string, unknown>} some */
  function set(some) {
    for (var name in some) {
      if (has(some, name) && some[name] !== undefined) {
        settings[name] = some[name];
      }
    }
  }

  set(platformOptions());
  set(/** @type {Record<string, unknown>} */ (options));
  return /** @type {any} */ (settings);
}
