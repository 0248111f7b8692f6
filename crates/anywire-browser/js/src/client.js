/**
 * Owns what joins a public object, its session and its negotiator, and the next session where one follows another.
 * Leaves the public surface to anywire.js, and what the application may choose to settings.js.
 */

import { chooseHttp, shownTransport } from '#platform/http.js';
import { fire } from '#platform/target.js';
import { createCredentials } from './credentials.js';
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
 * @param {object | undefined} options
 * @param {(options: any) => Reopen} reopen what makes of the option what it is, if it is not that
 * @returns {Client}
 */
export function createClient(socket, endpoints, protocols, options, reopen) {
  var settings = createSettings(options);
  // What was sent too late never leaves, but counts, as with a WebSocket.
  var ignoredBytes = 0;

  var dispatch = createDispatch(settings);
  var memory = createMemory(settings, endpoints.origin);
  /** @type {Session} */
  var session;
  /** @type {Http | undefined} */
  var http;
  /** @type {Negotiator} */
  var negotiator;
  /** @type {Credentials} */
  var credentials;
  var carrier = '';
  /** @type {Record<TransportName, boolean>} */
  var usable;

  // The application has closed before it heard of an open: the rest is between the session and the server.
  var hasLeft = false;

  // What opens a new session where one has ended.
  /** @type {Reopening | undefined} */
  var reopening;
  if (settings.reopen) {
    reopening = (typeof settings.reopen === 'function' ? settings.reopen : reopen(settings.reopen))(settings, begin, open);
  }

  /**
   * A new session, which is to be opened.
   * @param {unknown[]} messages that it begins with
   * @returns {Negotiator}
   */
  function begin(messages) {
    carrier = '';
    session = createSession(settings, newKey(), protocols, {
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
        credentials.stop_();
        // What is sent until then is of this session.
        dispatch(function () {
          if (reopening && reopening.follows_(session, socket.readyState < CLOSING ? code : 0, reason)) {
            setTransport('reconnecting');
          } else {
            leavePage();
            tellEnd(code, usable.websocket || usable.poll ? reason : 'no WebSocket here', wasClean);
          }
        });
      }
    });
    http = chooseHttp(settings, session, endpoints, tellTransport);
    usable = {
      // Implementations of drafts have no CLOSING. They cannot carry bytes and are left alone.
      websocket: isListed(settings, WEBSOCKET) && settings.WebSocket && settings.WebSocket.CLOSING,
      poll: !!http
    };
    negotiator = createNegotiator(session, {
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
    credentials = createCredentials(settings, session, negotiator);
    socket.trace = negotiator.negotiation_.trace_.attempts_;
    for (var i = 0; i < messages.length; i++) {
      session.send_(messages[i]);
    }
    countBuffered();
    socket.readyState = CONNECTING;
    return negotiator;
  }

  /**
   * Goes on to open the session, or one that is open and that nothing carries, with what says who the client is.
   * @param {string} why
   * @param {'start' | 'turn'} input
   */
  function open(why, input) {
    credentials.open_(why, input);
  }

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
    if (shown) {
      dispatch(function () {
        if (hasLeft || socket.readyState === CLOSED) {
          return;
        }
        if (socket.readyState === CONNECTING) {
          socket.readyState = OPEN;
          socket.protocol = session.protocol_;
          socket.id = session.id_;
        }
        setTransport(shown);
      });
    }
  }

  /** @param {string} transport */
  function carriedBy(transport) {
    var isFirst = !carrier;
    carrier = transport;
    var ended = reopening && reopening.carried_(transport !== 'reconnecting');
    tellTransport();
    if (isFirst) {
      dispatch(function () {
        if (socket.readyState === OPEN) {
          fire(socket, ended ? 'reopen' : 'open', ended || {});
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
    // One that follows another is opened at turns, whatever happens meanwhile (NEGOTIATION §12.3).
    if (session.id_ || !socket.transport) {
      negotiator.feed_('returned', '', hasNewNetwork);
    }
  }, function (mayReturn) {
    negotiator.leave_(mayReturn ? KEPT_PAGE_MS : '');
  });

  // Also while the application is asked who it is. A session that follows another is tried without an end.
  begin(settings.first).expire_(settings.connectTimeoutMs);
  open('open', 'start');

  return {
    allow_: function (transport, isAllowed) {
      var name = /** @type {TransportName} */ (transport);
      if (has(usable, name) && usable[name]) {
        negotiator.feed_('allow', name, isAllowed);
      }
    },

    send_: function (data) {
      // What comes when the session has ended, and the application has not heard of it, counts or is given back.
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
