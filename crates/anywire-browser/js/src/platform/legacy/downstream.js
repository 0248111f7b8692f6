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
    var streams = http.streams;
    var stop = streams && !isHold && !http.isNarrow && streams.open(streamLine, trace);
    if (stop) {
      line.carry(stop);
    } else {
      left();
      line.hold();
    }
  }

  function left() {
    if (http.streams) {
      http.streams.left();
    }
  }

  /** @type {StreamLine} */
  var streamLine = {
    attachment: line.attachment,
    take: line.take,
    held: line.held,
    ask: line.ask,

    next: function (isHold) {
      if (!line.isStopped()) {
        carryDown(isHold);
      }
    }
  };

  // What carried for an earlier leg does not carry for this one.
  left();
  return carryDown;
}
