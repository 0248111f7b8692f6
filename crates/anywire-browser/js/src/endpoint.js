/**
 * Owns where the endpoints of a mount path are, seen from the page.
 * Leaves the requests to them to the transports.
 */

import { absoluteUrl } from '#platform/engine.js';
import { newError } from '#platform/target.js';
import { exec, indexOf } from './language.js';
import root from './root.js';

/**
 * @param {string} url of the mount, or of its WebSocket endpoint; relative to the page
 * @returns {Endpoints}
 */
export function resolveEndpoints(url) {
  var parts = exec(
    /^(?:http|ws)(s?:\/\/[^\/?#]+)(([^?#]*?)(?:\/websocket)?\/?)(\?[^#]*)?$/, absoluteUrl(url));
  if (!parts) {
    throw newError('SyntaxError', 'URL ' + url);
  }
  var host = parts[1];
  var query = parts[4] || '';
  return {
    url: 'ws' + host + parts[2] + query,
    origin: 'ws' + host,
    websocket: 'ws' + host + parts[3] + '/websocket' + query,
    poll: 'http' + host + parts[3] + '/poll' + query
  };
}

/** @param {string} url */
export function isCrossOrigin(url) {
  var page = root.location;
  return page && page.host && indexOf(url, page.protocol + '//' + page.host + '/');
}

/**
 * Of an exchange that brought no 200, for people.
 * @param {number} status 0 if there was no answer
 * @param {string} url
 */
export function whatFailed(status, url) {
  // A browser keeps to itself why, to a page of another origin.
  return 'http ' + status +
    (status || !isCrossOrigin(url) ? '' : ', no Access-Control-Allow-Origin?');
}
