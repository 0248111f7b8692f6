/**
 * Owns how a request is sent by a page that goes: it arrives, and its answer is for nobody.
 */

import { take } from '#platform/take.js';
import root from './root.js';

var agent = root.navigator;
var ask = root.fetch;
var send = agent && agent.sendBeacon && take(agent.sendBeacon);
// What engines let all such requests of a page have at once, less what others need.
var MAX_BYTES = 63000;
var flying = 0;
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
    var bytes = body.length;
    // Over its bound the engine would refuse it later, and tell the page nothing.
    if (flying + bytes > MAX_BYTES) {
      return false;
    }
    var landed = function () {
      flying -= bytes;
    };
    flying += bytes;
    ask(url, {
      method: 'POST', body: body, keepalive: true, credentials: withCredentials ? 'include' : 'same-origin'
    }).then(landed, landed);
    return true;
  }
  return !!send && withCredentials && send(agent, url, body);
}
