/**
 * Owns the public object: a WebSocket to whoever holds it.
 * Leaves everything behind it to the session and the negotiator, which it joins.
 *
 * What differs from a WebSocket is said here, and with reasons in the README:
 * - `transport` and the event of that name tell what carries the session: '' before it is open and
 *   after it has closed, 'websocket', 'poll' (in the full build also 'stream', 'events' and 'jsonp'),
 *   or 'reconnecting' while nothing does.
 * - A lost connection is no close. The session goes on over another one.
 * - With `reopen` an end may be followed by another session: an event of that name, and no close.
 * - `bufferedAmount` counts what the server has not acknowledged.
 * - `close()` without a code closes with 1000. The codes 4900 to 4999 are the protocol's own.
 * - `error` comes where a session did not open, after trying for a while, and with codes from 4960 on.
 * - A server that chose none of the sub-protocols is no error.
 * - Events have the members of the real ones, not their classes. In the full build they are plain objects, and of a
 *   listener's options `once` counts.
 */

import { chooseBinaryType, listOf } from '#platform/engine.js';
import { newError, newPrototype, newTarget } from '#platform/target.js';
import { utf8Length, wellFormed } from '#platform/text.js';
import { createClient } from './client.js';
import { resolveEndpoints } from './endpoint.js';
import { exec, indexOf, round } from './language.js';
import { CLOSING, CONNECTING } from './surface.js';
import { MAX_REASON_BYTES } from './wire/close.js';

/**
 * @constructor
 * @this {AnywireObject}
 * @param {string} url
 * @param {string | string[]} [protocols]
 * @param {object} [options] see index.d.ts
 */
export default function Anywire(url, protocols, options) {
  if (!(this instanceof Anywire && arguments.length)) {
    throw new TypeError('new Anywire(url)');
  }
  var socket = newTarget(this);
  var endpoints = resolveEndpoints('' + url);
  socket.url = endpoints.url;
  socket.protocol = socket.extensions = socket.transport = socket.id = '';
  socket.bufferedAmount = 0;
  socket.binaryType = chooseBinaryType();
  socket._client = createClient(socket, endpoints, checkProtocols(protocols), options, /** @type {any} */ (Anywire).reopen);
  return socket;
}

/** @type {ThisType<AnywireObject>} */
Anywire.prototype = newPrototype({
  constructor: Anywire,

  /**
   * @param {unknown} data
   */
  send: function (data) {
    if (this.readyState === CONNECTING) {
      throw newError('InvalidStateError', 'still connecting');
    }
    this._client.send_(data);
  },

  /**
   * @param {number} [code]
   * @param {string} [reason]
   */
  close: function (code, reason) {
    var number = code === undefined ? 1000 : round(code);
    if (number !== 1000 && !(number >= 3000 && number < 4900)) {
      throw newError('InvalidAccessError', 'code ' + code);
    }
    reason = wellFormed(reason === undefined ? '' : '' + reason);
    if (utf8Length(reason) > MAX_REASON_BYTES) {
      throw newError('SyntaxError', 'long reason');
    }
    if (this.readyState < CLOSING) {
      this._client.close_(number, reason);
    }
  },

  /**
   * For demonstrations and tests: drop a transport now, and use it no more until it is unblocked.
   * With all of them blocked the session waits, as long as its resume window lasts.
   * @param {string} transport 'websocket' or 'poll'
   */
  block: function (transport) {
    this._client.allow_(transport, false);
  },

  /**
   * @param {string} transport
   */
  unblock: function (transport) {
    this._client.allow_(transport, true);
  }
});

var STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
for (var state = STATES.length; state--;) {
  /** @type {any} */ (Anywire)[STATES[state]] =
    /** @type {any} */ (Anywire.prototype)[STATES[state]] = state;
}

/**
 * @param {unknown} [protocols]
 * @returns {string[]}
 */
function checkProtocols(protocols) {
  var list = protocols === undefined ? [] : listOf(protocols);
  var seen = ' ';
  for (var i = 0; i < list.length; i++) {
    list[i] += '';
    if (!exec(/^(?!anywire\.)[!#$%&'*+\-.\^_`|~0-9A-Za-z]+$/, list[i]) ||
        indexOf(seen, ' ' + list[i] + ' ') >= 0) {
      throw newError('SyntaxError', 'protocol ' + list[i]);
    }
    seen += list[i] + ' ';
  }
  return list;
}
