/**
 * Owns what carries down while HTTP carries the session: a stream as long as one is proven, else held exchanges. The
 * full build's; modern/downstream.js has the same name.
 * Leaves to streams.js which stream, and for how long.
 */

/**
 * @param {Http} http
 * @param {Trace} trace
 * @param {CarryDown} hold holds an exchange for what comes down
 * @param {HttpLeg} leg
 * @returns {CarryDown}
 */
export function createDownstream(http, trace, hold, leg) {
  var streams = http.streams_;
  var streamLeg = /** @type {HttpLeg & StreamLeg} */ (leg);

  /** @type {CarryDown} */
  function carryDown(isHold) {
    var stop = streams && !isHold && !http.isNarrow_ && !leg.isCrowded_() && streams.open_(streamLeg, trace);
    if (stop) {
      leg.carry_(stop);
    } else {
      left();
      hold();
    }
  }

  function left() {
    if (streams) {
      streams.left_();
    }
  }

  streamLeg.next_ = function (isHold) {
    if (!leg.isStopped_()) {
      carryDown(isHold);
    }
  };

  // What carried for an earlier leg does not carry for this one.
  left();
  return carryDown;
}
