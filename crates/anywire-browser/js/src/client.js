/**
 * Owns what joins a public object, its session and its negotiator.
 * Leaves the public surface to anywire.js, and what the application may choose to settings.js.
 */

import { chooseHttp, shownTransport } from '#platform/http.js';
import { fire } from '#platform/target.js';
import { createDispatch } from './dispatch.js';
import { has, PageBlob, replace } from './language.js';
import { createMemory } from './memory.js';
import { createNegotiator } from './negotiation/negotiator.js';
import { watchPage } from './page.js';
import { createSession } from './session.js';
import { createSettings } from './settings.js';
import { CLOSED, CLOSING, CONNECTING, OPEN } from './surface.js';
import { isListed, WEBSOCKET } from './transport.js';
import { createPollLeg } from './transports/poll.js';
import { createWebSocketLeg } from './transports/websocket.js';
import { closeContent, UNKNOWN_SESSION } from './wire/close.js';
import { newKey } from './wire/key.js';
import { createMessage } from './wire/message.js';

/** How long a session waits for a page that the browser keeps, to go back to (PROTOCOL §8.8). */
var KEPT_PAGE_MS = '60000';

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

  var dispatch = createDispatch(settings);

  var session = createSession(settings, newKey(), protocols, {
    toData_: function (bytes) {
      // Where the engine knows no bytes they are base64.
      var buffer = /** @type {ArrayBuffer} */ (bytes.buffer);
      return socket.binaryType === 'blob' ? new PageBlob([buffer]) : buffer || bytes;
    },
    onmessage_: function (data) {
      dispatch(function () {
        if (socket.readyState === OPEN) {
          fire(socket, 'message', { data: data, origin: endpoints.origin, lastEventId: '' });
        }
      });
    },
    onbuffer_: countBuffered,
    ontransmit_: function () {
      negotiator.transmit_();
    },
    onstall_: function () {
      negotiator.stall_();
    },
    onend_: function (code, reason, wasClean, isToBeTold) {
      negotiator.stop_(code, isToBeTold && closeContent(code, reason));
      leavePage();
      tellEnd(code, usable.websocket || usable.poll ? reason : 'no WebSocket here', wasClean);
    }
  });

  var memory = createMemory(settings, endpoints.origin);
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
  }, usable, settings, memory, carriedBy, function (status) {
    var reason = status + ': no Anywire at ' + replace(endpoints.poll, /\?.*/, '');
    if (session.id_) {
      session.handleRefusal_(UNKNOWN_SESSION, reason);
    } else {
      session.end_(1006, reason);
    }
  });

  var carrier = '';

  // The application has closed before it heard of an open: the rest is between the session and the server.
  var hasLeft = false;

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} [wasClean]
   */
  function tellEnd(code, reason, wasClean) {
    if (hasLeft) {
      return;
    }
    dispatch(function () {
      socket.readyState = CLOSED;
      setTransport('');
    });
    // A WebSocket that is lost tells of no error; nor does a session here.
    if (!session.id_ || code >= 4960) {
      dispatch(function () {
        fire(socket, 'error', {});
      });
    }
    dispatch(function () {
      fire(socket, 'close', { code: code, reason: reason, wasClean: !!wasClean });
    });
  }

  function tellTransport() {
    var shown = shownTransport(carrier, http);
    dispatch(function () {
      if (hasLeft || socket.readyState === CLOSED) {
        return;
      }
      if (shown && socket.readyState === CONNECTING) {
        socket.readyState = OPEN;
        socket.protocol = session.protocol_;
      }
      setTransport(shown);
    });
  }

  /** @param {string} transport */
  function carriedBy(transport) {
    var isFirst = !carrier;
    carrier = transport;
    tellTransport();
    if (isFirst) {
      dispatch(function () {
        if (socket.readyState === OPEN) {
          fire(socket, 'open', {});
        }
      });
    }
  }

  function countBuffered() {
    socket.bufferedAmount = session.outbox_.bytes_ + ignoredBytes;
  }

  /** @param {string} transport */
  function setTransport(transport) {
    var previous = socket.transport;
    socket.transport = transport;
    if (transport !== previous) {
      fire(socket, 'transport', { transport: transport, previous: previous });
    }
  }

  var leavePage = watchPage(settings, function (hasNewNetwork) {
    negotiator.feed_('returned', '', hasNewNetwork);
  }, function (mayReturn) {
    negotiator.leave_(mayReturn ? KEPT_PAGE_MS : '');
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
      if (socket.readyState === OPEN && !session.ended_) {
        session.send_(data);
      } else {
        ignoredBytes += createMessage(data).bytes_;
        countBuffered();
      }
    },

    close_: function (code, reason) {
      var isConnecting = socket.readyState === CONNECTING;
      socket.readyState = CLOSING;
      if (isConnecting) {
        // A session that the server may have opened is closed when it is known.
        tellEnd(1006, 'still connecting', false);
        hasLeft = true;
        negotiator.feed_('leave');
        code = 1000;
        reason = '';
      }
      session.close_(code, reason);
    }
  };
}
