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
 * @returns {WebSocket}
 */
function openWebSocket(settings, url, protocols, opened, received, closed) {
  /** @type {any} */
  var socket = {};
  try {
    socket = new settings.WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = opened;
    socket.onmessage = received;
    // Some engines tell of an error alone.
    socket.onclose = socket.onerror = function (/** @type {CloseEvent} */ event) {
      closed('closed', '' + event.code);
    };
  } catch (error) {
    socket.close = ignore;
    soon(settings, function () {
      closed('failed', '' + error);
    });
  }
  return socket;
}

/**
 * It calls nobody back.
 * @param {any} socket
 * @param {number} [code]
 */
function closeWebSocket(socket, code) {
  socket.onopen = socket.onmessage = socket.onclose = socket.onerror = ignore;
  // A page may use no other codes.
  socket.close(code && code >= 3000 ? code : 1000);
}

function ignore() {}
