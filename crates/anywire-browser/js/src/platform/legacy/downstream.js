/**
 * Owns what carries down while HTTP carries the session: a stream as long as one is proven, else held exchanges. The
 * full build's; modern/downstream.js has the same name.
 * Leaves to streams.js which stream, and for how long.
 */

/**
 * @param {Http} http
 * @param {Trace} trace
 * @param {PollLine} line
 * @returns {CarryDown}
 */
export function createDownstream(http, trace, line) {
  /** @type {CarryDown} */
  function carryDown(isHold) {
    var streams = http.streams_;
    var stop = streams && !isHold && !http.isNarrow_ && streams.open_(streamLine, trace);
    if (stop) {
      line.carry_(stop);
    } else {
      left();
      line.hold_();
    }
  }

  function left() {
    if (http.streams_) {
      http.streams_.left_();
    }
  }

  /** @type {StreamLine} */
  var streamLine = {
    attachment_: line.attachment_,
    take_: line.take_,
    held_: line.held_,
    ask_: line.ask_,

    next_: function (isHold) {
      if (!line.isStopped_()) {
        carryDown(isHold);
      }
    }
  };

  // What carried for an earlier leg does not carry for this one.
  left();
  return carryDown;
}
