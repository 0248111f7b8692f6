/**
 * Owns what carries down while HTTP carries the session: held exchanges, and nothing else. The modern build's;
 * legacy/downstream.js has the same name.
 */

/**
 * @param {Http} _http
 * @param {Trace} _trace
 * @param {HttpLeg} leg
 * @returns {CarryDown}
 */
export function createDownstream(_http, _trace, leg) {
  return leg.hold_;
}
