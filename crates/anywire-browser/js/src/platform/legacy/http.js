/**
 * Owns which way HTTP goes in this engine, and in which encoding. Only in the full build.
 * Leaves the ways to files of their own.
 */

import { isCrossOrigin } from '../../endpoint.js';
import { root } from '../../root.js';
import { isListed, POLL } from '../../transport.js';
import { createRungs } from '../../transports/downstream.js';
import { startScriptExchange } from '../../transports/jsonp.js';
import { BINARY_ENCODING } from '../../wire/bytes.js';
import { TEXT_ENCODING } from '../../wire/text.js';
import { findRequest } from './active-request.js';
import { startExchange } from './exchange.js';

var REQUESTS = ['stream', 'events', 'jsonp', 'form'];

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @returns {Http | undefined}
 */
export function chooseHttp(settings, session, endpoints) {
  /** @type {Http} */
  var http;
  findRequest(settings);
  for (var i = 0; i < REQUESTS.length; i++) {
    endpoints[REQUESTS[i]] = endpoints.poll.replace(/\/poll(\?|$)/, '/' + REQUESTS[i] + '$1');
  }
  var isWanted = isListed(settings, POLL) || isListed(settings, 'stream') ||
    isListed(settings, 'events');
  if (isWanted && canReach(endpoints.poll, settings)) {
    http = newHttp(POLL, chooseEncoding(settings), startExchange);
    http.rungs = createRungs(session, endpoints, settings, http);
    return http;
  }
  if (isListed(settings, 'jsonp') && settings.document) {
    http = newHttp('jsonp', TEXT_ENCODING, startScriptExchange);
    http.isShort = true;
    return http;
  }
}

/**
 * @param {string} url
 * @param {Settings} settings
 */
function canReach(url, settings) {
  return settings.XMLHttpRequest &&
    (!isCrossOrigin(url) || 'withCredentials' in new settings.XMLHttpRequest());
}

/**
 * @param {Settings} settings
 */
function chooseEncoding(settings) {
  return settings.encoding === 'binary' || settings.encoding === 'auto' && knowsBytes(settings) ?
    BINARY_ENCODING : TEXT_ENCODING;
}

/**
 * Engines have sent "[object Uint8Array]" for bytes, in requests as in Blobs.
 * @param {Settings} settings
 */
function knowsBytes(settings) {
  try {
    return root.TextEncoder && root.TextDecoder && new Blob([new Uint8Array(1)]).size === 1 &&
      'responseType' in new settings.XMLHttpRequest();
  } catch (error) {
    return false;
  }
}

/**
 * @param {string} name
 * @param {Encoding} encoding
 * @param {Exchange} exchange
 * @returns {Http}
 */
function newHttp(name, encoding, exchange) {
  return /** @type {any} */ ({
    name: name, encoding: encoding, exchange: exchange, holdMs: Infinity, batchBytes: Infinity
  });
}
