/**
 * Owns the events that the application is yet to hear of, in their order: each has a turn of its own, as with a
 * WebSocket, so that what awaited the one before has run.
 * Leaves turns to turns.js, and what an event is to client.js.
 */

/**
 * @param {Settings} settings
 * @returns {(event: () => void) => void}
 */
export function createDispatch(settings) {
  /** @type {Array<() => void>} */
  var events = [];
  var first = 0;
  var isGoing = false;

  function pump() {
    events[first++]();
    isGoing = first < events.length;
    if (!isGoing) {
      events = [];
      first = 0;
    }
    return isGoing;
  }

  return function (event) {
    events[events.length] = event;
    if (!isGoing) {
      isGoing = true;
      settings.turns(pump);
    }
  };
}
