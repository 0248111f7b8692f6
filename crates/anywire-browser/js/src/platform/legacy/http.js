/**
 * Owns how HTTP goes in this engine, and in which encoding. The full build's; modern/http.js has the same names.
 * Leaves the exchanges and the streams to files of their own.
 */

import { isCrossOrigin } from '../../endpoint.js';
import { Bytes, Decoder, Encoder, PageBlob, replace } from '../../language.js';
import { isListed, POLL } from '../../transport.js';
import { startScriptExchange } from '../../transports/jsonp.js';
import { createStreams } from '../../transports/streams.js';
import { BINARY_ENCODING } from '../../wire/bytes.js';
import { TEXT_ENCODING } from '../../wire/text.js';
import { findRequest } from './active-request.js';
import { startExchange } from './exchange.js';

var JSONP = 'jsonp';
var REQUESTS = ['stream', 'events', JSONP, 'form'];

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} session
 * @param {Endpoints} endpoints
 * @param {() => void} ontransport what is to be shown as the transport has changed
 * @returns {Http | undefined}
 */
export function chooseHttp(settings, session, endpoints, ontransport) {
  /** @type {Http} */
  var http;
  findRequest(settings);
  for (var i = 0; i < REQUESTS.length; i++) {
    endpoints[REQUESTS[i]] = replace(endpoints.poll, /\/poll(\?|$)/, '/' + REQUESTS[i] + '$1');
  }
  var isWanted = isListed(settings, POLL) || isListed(settings, 'stream') ||
    isListed(settings, 'events');
  if (isWanted && canReach(endpoints.poll, settings)) {
    http = newHttp(POLL, chooseEncoding(settings), startExchange);
    http.streams_ = createStreams(session, endpoints, settings, http, ontransport);
    return http;
  }
  if (isListed(settings, JSONP) && settings.document) {
    return newHttp(JSONP, TEXT_ENCODING, startScriptExchange);
  }
}

/**
 * What the application is to see.
 * @param {string} carrier
 * @param {Http | undefined} http
 */
export function shownTransport(carrier, http) {
  return carrier === POLL && http && http.name_ || carrier;
}

/**
 * Whether an exchange bears no long question, nor first messages.
 * @param {Http} http
 */
export function isShort(http) {
  return http.name_ === JSONP;
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
    return Encoder && Decoder && new PageBlob([new Bytes(1)]).size === 1 &&
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
  return { name_: name, encoding_: encoding, exchange_: exchange, holdMs_: Infinity, batchBytes_: Infinity };
}
