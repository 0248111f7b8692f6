/**
 * Owns the browser's WebSocket.
 * Leaves what goes over it to websocket-leg.js.
 */

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {string[]} protocols
 * @param {() => void} opened
 * @param {(event: MessageEvent) => void} received
 * @param {(outcome: string, detail: string) => void} closed
 * @returns {WebSocket} or what cannot even be closed
 */
function openWebSocket(settings, url, protocols, opened, received, closed) {
  /** @type {any} */
  var socket = {};
  try {
    socket = new settings.WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
  } catch (error) {
    soon(settings, function () {
      closed('failed', '' + error);
    });
  }
  socket.onopen = opened;
  socket.onmessage = received;
  // Some engines tell of an error alone.
  socket.onclose = socket.onerror = function (/** @type {CloseEvent} */ event) {
    closed('closed', '' + event.code);
  };
  return socket;
}
