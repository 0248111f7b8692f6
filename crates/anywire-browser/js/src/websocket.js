/**
 * Owns the browser's WebSocket.
 * Leaves what goes over it to websocket-leg.js.
 */

/**
 * @param {any} WebSocket the constructor
 * @param {string} url
 * @param {Clock} clock
 * @returns {Transport}
 */
function createWebSocketTransport(WebSocket, url, clock) {
  /** @type {any} */
  var socket;

  function forget() {
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    }
  }

  /** @param {string} why */
  function closed(why) {
    forget();
    transport.onclose(why);
  }

  var transport = /** @type {Transport} */ ({
    open: function (protocols) {
      try {
        socket = new WebSocket(url, protocols);
      } catch (error) {
        clock.setTimeout(function () {
          closed('threw ' + error);
        }, 0);
        return;
      }
      socket.binaryType = 'arraybuffer';
      socket.onopen = transport.onopen;
      socket.onmessage = function (/** @type {MessageEvent} */ event) {
        transport.onpayload(event.data);
      };
      // Some browsers report a failure by either of these alone.
      socket.onerror = function () {
        closed('error');
      };
      socket.onclose = function (/** @type {CloseEvent} */ event) {
        closed('closed ' + event.code);
      };
    },

    send: function (frame) {
      socket.send(frame);
    },

    buffered: function () {
      return socket.bufferedAmount;
    },

    close: function (code) {
      forget();
      transport.onclose = ignore;
      if (socket) {
        // A page may use no other codes.
        socket.close(code && code >= 3000 ? code : 1000);
      }
    }
  });
  return transport;
}

function ignore() {}
