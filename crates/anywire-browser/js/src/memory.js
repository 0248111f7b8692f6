/**
 * Owns what is remembered of an origin, across pages and tabs where the browser stores it, else in
 * this page (NEGOTIATION §6).
 * Leaves what it is good for to negotiation.js.
 */

import { forgetIn } from '#platform/engine.js';
import { exec, floor } from './language.js';
import root from './root.js';

export var MEMORY_MS = 600000;

/** Behind the name of an origin: how much a body may hold. */
var BYTES = ' bytes';

/** @type {{ [name: string]: string }} */
var pageMemory = {};

/**
 * @param {Settings} settings
 * @param {string} origin
 * @returns {OriginMemory}
 */
export function createMemory(settings, origin) {
  var name = 'anywire ' + origin;

  /**
   * @template T
   * @param {(store: Record<string, string>) => T} work on the storage, or on the page's own where there is none or it
   *   throws
   */
  function use(work) {
    try {
      return work(settings.localStorage || root.localStorage);
    } catch (error) {
      return work(pageMemory);
    }
  }

  /** @param {string} name */
  function recall(name) {
    var parts = exec(/^(\d+) (\d+|fails)$/, use(function (store) {
      return store[name];
    }));
    var leftMs = parts ? +parts[1] - settings.date() : 0;
    // A clock that was set back makes no memory last.
    return parts && leftMs > 0 && leftMs <= MEMORY_MS ? parts[2] : '';
  }

  /**
   * @param {string} name
   * @param {string | number} memory
   */
  function remember(name, memory) {
    use(function (store) {
      store[name] = settings.date() + MEMORY_MS + ' ' + memory;
    });
  }

  return {
    recall_: function () {
      return recall(name);
    },

    remember_: function (memory) {
      remember(name, memory);
    },

    recallBytes_: function () {
      return +recall(name + BYTES) || Infinity;
    },

    rememberBytes_: function (bytes) {
      remember(name + BYTES, floor(bytes));
    },

    forget_: function () {
      use(function (store) {
        forgetIn(store, name);
        delete store[name + BYTES];
      });
    }
  };
}
