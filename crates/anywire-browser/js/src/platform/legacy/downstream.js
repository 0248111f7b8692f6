/**
 * Owns what carries down while HTTP carries the session: a stream as long as one is proven, else held exchanges. The
 * full build's; modern/downstream.js has the same name.
 * Leaves to streams.js which stream, and for how long.
 */

/**
 * @param {Http} http
 * @param {Trace} trace
 * @param {HttpLeg} leg
 * @returns {CarryDown}
 */
export function createDownstream(http, trace, leg) {
  /** @type {CarryDown} */
  function carryDown(isHold) {
    var streams = http.streams_;
    var stop = streams && !isHold && !http.isNarrow_ && !leg.isCrowded_() && streams.open_(streamLeg, trace);
    if (stop) {
      leg.carry_(stop);
    } else {
      left();
      leg.hold_();
    }
  }

  function left() {
    if (http.streams_) {
      http.streams_.left_();
    }
  }

  /** @type {StreamLeg} */
  var streamLeg = {
    attachment_: leg.attachment_,
    take_: leg.take_,
    held_: leg.held_,
    ask_: leg.ask_,

    next_: function (isHold) {
      if (!leg.isStopped_()) {
        carryDown(isHold);
      }
    }
  };

  // What carried for an earlier leg does not carry for this one.
  left();
  return carryDown;
}
