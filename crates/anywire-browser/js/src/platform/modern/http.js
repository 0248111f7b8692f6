/**
 * Owns how HTTP goes in engines of today. The modern build's; legacy/http.js has the same names.
 */

import { isListed, POLL } from '../../transport.js';
import { BINARY_ENCODING } from '../../wire/bytes.js';
import { startExchange } from './exchange.js';

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} _session
 * @param {Endpoints} _endpoints
 * @param {() => void} _ontransport
 * @returns {Http | undefined}
 */
export function chooseHttp(settings, _session, _endpoints, _ontransport) {
  return isListed(settings, POLL) && settings.XMLHttpRequest ? {
    encoding_: BINARY_ENCODING, exchange_: startExchange, holdMs_: Infinity, batchBytes_: Infinity
  } : undefined;
}

/**
 * What the application is to see.
 * @param {string} carrier
 * @param {Http | undefined} _http
 */
export function shownTransport(carrier, _http) {
  return carrier;
}

/**
 * Whether an exchange bears no long question, nor first messages.
 * @param {Http} _http
 */
export function isShort(_http) {
  return false;
}
