/**
 * Owns how long an HTTP exchange may take.
 * Leaves the request to poll.js, and what goes up and comes down to poll-leg.js.
 */

/**
 * @param {Transport} transport
 * @param {any} body
 * @param {number} patienceMs how long nothing may move
 * @param {Clock} clock
 * @param {(payload: any) => void} answered
 * @param {(why: string, text?: string, retryAfterMs?: number) => void} failed
 * @returns {() => void} aborts it, without a callback
 */
function startExchange(transport, body, patienceMs, clock, answered, failed) {
  var timer = createTimer(clock, function () {
    failed('no answer');
  });

  function wait() {
    timer.set(patienceMs);
  }

  function finish() {
    timer.stop();
    transport.onprogress = ignore;
  }

  transport.onprogress = wait;
  transport.onpayload = function (payload) {
    finish();
    answered(payload);
  };
  transport.onclose = function (why, text, retryAfterMs) {
    finish();
    failed(why, text, retryAfterMs);
  };
  wait();
  transport.open();
  transport.send(body);

  return function () {
    finish();
    transport.close();
  };
}
