/**
 * Owns what is remembered of an origin, across pages and tabs where the browser stores it, else in
 * this page (NEGOTIATION §6).
 * Leaves what it is good for to negotiation.js.
 */

import { exec, indexOf } from './language.js';
import root from './root.js';

export var MEMORY_MS = 600000;

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

  return {
    recall_: function () {
      var parts = exec(/^(\d+) (\d+|fails)$/, use(function (store) {
        return store[name];
      }));
      var leftMs = parts ? +parts[1] - settings.date() : 0;
      // A clock that was set back makes no memory last.
      return parts && leftMs > 0 && leftMs <= MEMORY_MS ? parts[2] : '';
    },

    remember_: function (memory) {
      use(function (store) {
        store[name] = settings.date() + MEMORY_MS + ' ' + memory;
      });
    },

    forget_: function () {
      use(function (store) {
        delete store[name];
        for (var other in store) {
          // What else is remembered of an origin begins with its name.
          if (!indexOf(other, name + ' ')) {
            delete store[other];
          }
        }
      });
    }
  };
}
