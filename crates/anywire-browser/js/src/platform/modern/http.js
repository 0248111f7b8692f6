/**
 * Owns how HTTP goes in engines of today. The modern build's; legacy/http.js has the same name.
 */

import { isListed, POLL } from '../../transport.js';

/**
 * How HTTP carries a session, if it can.
 * @param {Settings} settings
 * @param {Session} _session
 * @param {Endpoints} _endpoints
 * @returns {Http | undefined}
 */
export function chooseHttp(settings, _session, _endpoints) {
  return isListed(settings, POLL) && settings.XMLHttpRequest ?
    /** @type {any} */ ({ holdMs: Infinity, batchBytes: Infinity }) : undefined;
}
