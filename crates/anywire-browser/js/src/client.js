/**
 * Owns what joins a public object, its session and its negotiator.
 * Leaves the public surface to anywire.js, and what the application may choose to settings.js.
 */

import { chooseHttp, shownTransport } from '#platform/http.js';
import { fire } from '#platform/target.js';
import { has } from './language.js';
import { createMemory } from './memory.js';
import { createNegotiator } from './negotiation/negotiator.js';
import { watchPage } from './page.js';
import root from './root.js';
import { createSession } from './session.js';
import { createSettings } from './settings.js';
import { CLOSED, CLOSING, CONNECTING, OPEN } from './surface.js';
import { soon } from './timers.js';
import { isListed, WEBSOCKET } from './transport.js';
import { createPollLeg } from './transports/poll.js';
import { createWebSocketLeg } from './transports/websocket.js';
import { closeContent } from './wire/close.js';
import { newKey } from './wire/key.js';
import { createMessage } from './wire/message.js';

var PageBlob = root.Blob;

/**
 * @param {AnywireObject} socket
 * @param {Endpoints} endpoints
 * @param {string[]} protocols
 * @param {object} [options]
 * @returns {Client}
 */
export function createClient(socket, endpoints, protocols, options) {
  var settings = createSettings(options);
  // What was sent too late never leaves, but counts, as with a WebSocket.
  var ignoredBytes = 0;

  var session = createSession(settings, newKey(), protocols, {
    toData_: function (bytes) {
      // Where the engine knows no bytes they are base64.
      var buffer = /** @type {ArrayBuffer} */ (bytes.buffer);
      return socket.binaryType === 'blob' ? new PageBlob([buffer]) : buffer || bytes;
    },
    onmessage_: function (data) {
      if (socket.readyState === OPEN) {
        fire(socket, 'message', { data: data, origin: endpoints.origin, lastEventId: '' });
      }
    },
    onbuffer_: countBuffered,
    ontransmit_: function () {
      negotiator.transmit_();
    },
    onend_: function (code, reason, wasClean, isToBeTold) {
      negotiator.stop_(code, isToBeTold && closeContent(code, reason));
      leavePage();
      socket.readyState = CLOSED;
      setTransport('');
      // Who holds a WebSocket hears of no error when it is lost; nor here when a session is.
      if (!session.id_ || code >= 4960) {
        fire(socket, 'error', {});
      }
      fire(socket, 'close', { code: code, reason: reason, wasClean: !!wasClean });
    }
  });

  var http = chooseHttp(settings, session, endpoints, tellTransport);
  /** @type {Record<TransportName, boolean>} */
  var usable = {
    // Implementations of drafts have no CLOSING. They cannot carry bytes and are left alone.
    websocket: isListed(settings, WEBSOCKET) && settings.WebSocket && settings.WebSocket.CLOSING,
    poll: !!http
  };
  var negotiator = createNegotiator(session, {
    websocket: function (generation, feed) {
      return createWebSocketLeg(session, endpoints.websocket, settings, feed, generation);
    },

    poll: function (generation, feed, trace) {
      return createPollLeg(session, endpoints, /** @type {Http} */ (http), settings, feed, generation, trace);
    }
  }, usable, settings, createMemory(settings, endpoints.origin), carriedBy);

  var carrier = '';

  function tellTransport() {
    setTransport(shownTransport(carrier, http));
  }

  /** @param {string} transport */
  function carriedBy(transport) {
    var isOpening = socket.readyState === CONNECTING;
    if (isOpening) {
      socket.readyState = OPEN;
      socket.protocol = session.protocol_;
    }
    carrier = transport;
    tellTransport();
    if (isOpening && socket.readyState === OPEN) {
      fire(socket, 'open', {});
    }
  }

  function countBuffered() {
    socket.bufferedAmount = session.outbox_.bytes_ + ignoredBytes;
  }

  /** @param {string} transport */
  function setTransport(transport) {
    var previous = socket.transport;
    if (transport !== previous) {
      socket.transport = transport;
      fire(socket, 'transport', { transport: transport, previous: previous });
    }
  }

  var leavePage = watchPage(settings, function (hasNewNetwork) {
    negotiator.feed_('returned', '', hasNewNetwork);
  });

  for (var i = 0; i < settings.first.length; i++) {
    session.send_(settings.first[i]);
  }

  socket.trace = negotiator.trace_;
  negotiator.feed_('start');

  return {
    allow_: function (transport, isAllowed) {
      var name = /** @type {TransportName} */ (transport);
      if (has(usable, name) && usable[name]) {
        negotiator.feed_('allow', name, isAllowed);
      }
    },

    send_: function (data) {
      if (socket.readyState === OPEN) {
        session.send_(data);
      } else {
        ignoredBytes += createMessage(data).bytes_;
        countBuffered();
      }
    },

    close_: function (code, reason) {
      var isConnecting = socket.readyState === CONNECTING;
      socket.readyState = CLOSING;
      if (!isConnecting) {
        session.close_(code, reason);
        return;
      }
      negotiator.stop_(1000);
      soon(settings, function () {
        session.end_(1006, 'still connecting');
      });
    }
  };
}
