/**
 * Owns what carries down while HTTP carries the session: held exchanges, and nothing else. The modern build's;
 * legacy/downstream.js has the same name.
 */

/**
 * @param {Http} _http
 * @param {Trace} _trace
 * @param {CarryDown} hold holds an exchange for what comes down
 * @param {HttpLeg} _leg
 */
export function createDownstream(_http, _trace, hold, _leg) {
  return hold;
}
