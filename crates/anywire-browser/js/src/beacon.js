/**
 * Owns how a request is sent by a page that goes: it arrives, and its answer is for nobody.
 */

import { take } from '#platform/take.js';
import root from './root.js';
import { ignore } from './transport.js';

var agent = root.navigator;
var ask = root.fetch;
var send = agent && agent.sendBeacon && take(agent.sendBeacon);
// A fetch that knows no `keepalive` ends with its page.
var knowsKeepalive = root.Request && 'keepalive' in root.Request.prototype;

/**
 * Bytes and text go without a preflight: with no Content-Type, and as text/plain.
 * @param {string} url
 * @param {any} body
 * @param {boolean} withCredentials
 * @returns {boolean} whether the engine has taken it
 */
export function sendBeacon(url, body, withCredentials) {
  // A beacon hides its origin where the page sends no referrer, and has credentials, whatever is wanted.
  if (knowsKeepalive) {
    ask(url, {
      method: 'POST', body: body, keepalive: true, credentials: withCredentials ? 'include' : 'same-origin'
    }).then(ignore, ignore);
    return true;
  }
  return !!send && withCredentials && send(agent, url, body);
}
