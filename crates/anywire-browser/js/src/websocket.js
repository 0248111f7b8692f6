/**
 * Owns the browser's WebSocket.
 * Leaves what goes over it to websocket-leg.js.
 */

/**
 * @param {Settings} settings
 * @param {string} url
 * @param {string[]} protocols
 * @param {() => void} opened
 * @param {(frame: string | ArrayBuffer) => void} received
 * @param {(outcome: string, detail: string) => void} closed
 * @returns {Channel}
 */
function openWebSocket(settings, url, protocols, opened, received, closed) {
  /** @type {any} */
  var socket;
  try {
    socket = new settings.WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = function () {
      opened();
    };
    socket.onmessage = function (/** @type {MessageEvent} */ event) {
      received(event.data);
    };
    socket.onclose = function (/** @type {CloseEvent} */ event) {
      closed('closed', '' + event.code);
    };
  } catch (error) {
    settings.setTimeout(function () {
      closed('failed', '' + error);
    }, 0);
  }

  return {
    send: function (frame) {
      socket.send(frame);
    },

    buffered: function () {
      return socket.bufferedAmount;
    },

    close: function (code) {
      opened = received = closed = ignore;
      if (socket) {
        // A page may use no other codes.
        socket.close(code && code >= 3000 ? code : 1000);
      }
    }
  };
}
