/**
 * Owns the steps by which a browser shows that Anywire works in it, over the transport that the
 * page's address names. It uses the public object alone.
 * Leaves the messages to samples.js; whether they came up whole is judged by the server's app.
 *
 * In each step both sides send the same messages and compare what comes with them. The page begins
 * it with `!step NAME`; the app says `!heard NAME` when all have come up.
 */

var STEP_MS = +query.stepMs || 60000;
var IDLE_MS = 2500;
var CUT_AFTER_MS = 30;
var ABANDONED_MS = 1000;
// Longer than the server's leave window.
var LEFT_MS = 2000;
var REOPEN_MS = 500;

/** What the app and the page close with, each at one end of what applications may use. */
var PAGE_CLOSE = { code: 3000, reason: 'the page: caf\u00e9 \u2713' };
var APP_CLOSE = { code: 4899, reason: 'the app: caf\u00e9 \u2713' };

/** How the app ends a session that another follows, and how it puts a client out. */
var RESTART = { code: 1012, reason: 'the app: again' };
var REVOKED = { code: 4970, reason: 'the app: out with you' };

/** What the page says of itself. The app lets the first in for a term, and the second for good. */
var SHORT_TOKEN = 'short: caf\u00e9 \u2713 \ud83d\ude00';
var FRESH_TOKEN = 'fresh: caf\u00e9 \u2713 \ud83d\ude00';
var TERM_MS = +query.termMs;

var socket;
var onMessage;
var onClose;
var hasFailed = false;

var steps = {
  open: function (done) {
    openSession(openOptions(), done);
  },

  numbered: function (done) {
    exchange('numbered', done);
  },

  unicode: function (done) {
    exchange('unicode', done);
  },

  binary: function (done) {
    if (!window.ArrayBuffer || !window.Uint8Array) {
      done('', 'no typed arrays');
    } else {
      exchange('binary', done);
    }
  },

  large: function (done) {
    exchange('large', done);
  },

  /** No body may be long, so a message goes in parts. A page is not told that a form was refused, so jsonp has no limit here. */
  parts: function (done) {
    between(query.transport === 'jsonp' ? '' : 'short', 'parts', done);
  },

  /** What says such things is refused, so it goes veiled. */
  veil: function (done) {
    if (!window.TextDecoder || !window.btoa) {
      done('', 'no TextDecoder');
    } else {
      between(query.transport === 'jsonp' ? '' : 'words', 'veil', done);
    }
  },

  /** The connections are cut in the middle. */
  resumed: function (done) {
    exchange('resumed', done, function (sendRest) {
      setTimeout(function () {
        ask('/cut', '');
        sendRest();
      }, CUT_AFTER_MS);
    });
  },

  idle: function (done) {
    setTimeout(function () {
      exchange('idle', done);
    }, IDLE_MS);
  },

  /** The handler of a message is set when the one before was awaited, so one that comes too soon is missed. */
  awaited: function (done) {
    if (!window.Promise) {
      done('', 'no promises');
      return;
    }
    var heard = socket.onmessage;
    function listen() {
      new Promise(function (resolve) {
        socket.onmessage = function (event) {
          socket.onmessage = null;
          resolve(event);
        };
      }).then(function (event) {
        return event;
      }).then(function (event) {
        if (socket.onmessage === null) {
          listen();
        }
        heard(event);
      });
    }
    // Where a promise's jobs are tasks, those who await a WebSocket's events miss some too.
    var jobs = 0;
    var chain = Promise.resolve();
    function count() {
      jobs++;
    }
    for (var i = 0; i < 10; i++) {
      chain = chain.then(count);
    }
    var channel = new MessageChannel();
    channel.port2.postMessage(0);
    channel.port1.onmessage = function () {
      if (jobs < 10) {
        done('', 'promises that run as tasks');
        return;
      }
      listen();
      exchange('awaited', function (failure) {
        socket.onmessage = heard;
        done(failure);
      });
    };
  },

  /** As frameworks did, to lists, texts and all objects. */
  framework: function (done) {
    var types = [Array, String, Number];
    function change() {
      Object.prototype.extend = Object.prototype.drop = Object.prototype.poll = Object.prototype.code = function () {
        return this;
      };
      for (var i = 0; i < types.length; i++) {
        types[i].prototype.toJSON = function () {
          return '"' + this + '"';
        };
      }
    }
    function mend() {
      delete Object.prototype.extend;
      delete Object.prototype.drop;
      delete Object.prototype.poll;
      delete Object.prototype.code;
      for (var i = 0; i < types.length; i++) {
        delete types[i].prototype.toJSON;
      }
    }
    change();
    exchange('framework', function (failure) {
      mend();
      done(failure);
    });
  },

  /** Sessions that are closed as soon as they are opened. The app tells whether one was left. */
  abandoned: function (done) {
    for (var i = 0; i < 5; i++) {
      new Anywire(query.server, ['abandoned'], openOptions()).close();
    }
    setTimeout(function () {
      done('');
    }, ABANDONED_MS);
  },

  /** A page in a frame goes, with its session. The app tells whether that lives on. */
  left: function (done) {
    var knowsBeacons = window.navigator && navigator.sendBeacon || window.Request && 'keepalive' in Request.prototype;
    if (!knowsBeacons) {
      done('', 'no request outlives its page');
      return;
    }
    var frame = document.createElement('iframe');
    window.frameOpened = function () {
      document.body.removeChild(frame);
      setTimeout(function () {
        done('');
      }, LEFT_MS);
    };
    frame.src = '/frame.html' + location.search;
    document.body.appendChild(frame);
  },

  closedByPage: function (done) {
    expectClose(PAGE_CLOSE, done);
    socket.close(PAGE_CLOSE.code, PAGE_CLOSE.reason);
  },

  closedByApp: function (done) {
    steps.open(function (failure) {
      if (failure) {
        done(failure);
        return;
      }
      expectClose(APP_CLOSE, done);
      socket.send('!close');
    });
  },

  /** The app closes at open, the page when it hears of that: the two cross, and both report the app's. */
  closedByBoth: function (done) {
    openAside(['closes'], function () {
      expectClose(APP_CLOSE, done);
      socket.close(PAGE_CLOSE.code, PAGE_CLOSE.reason);
    });
  },

  /** As many as may be, and as long as some tokens are. */
  subProtocols: function (done) {
    var length = query.transport === 'jsonp' ? 60 : 300;
    var names = [];
    for (var i = 0; i < 16; i++) {
      names.push('p' + (i < 10 ? '0' : '') + i + new Array(length - 2).join('x'));
    }
    openAside(names, function () {
      var chosen = socket.protocol;
      expectClose(PAGE_CLOSE, function (failure) {
        done(chosen === names[15] ? failure : 'chosen: ' + chosen);
      });
      socket.close(PAGE_CLOSE.code, PAGE_CLOSE.reason);
    });
  },

  /** What lets the client in runs out: the page is asked for something newer, and the session goes on. */
  renewed: function (done) {
    var asked = [];
    var isRenewed = false;
    var options = openOptions();
    options.authorize = function (why, answer) {
      var token = why === 'open' ? SHORT_TOKEN : FRESH_TOKEN;
      asked.push(why);
      if (window.Promise) {
        return Promise.resolve(token);
      }
      answer(token);
    };
    onMessage = function (data) {
      isRenewed = isRenewed || data === '!renewed';
    };
    openSession(options, function (failure) {
      if (failure) {
        done(failure);
        return;
      }
      onClose = function (event) {
        done('closed with ' + event.code + ' ' + event.reason + ', asked: ' + asked);
      };
      setTimeout(function () {
        // What was under way may have been asked for twice.
        if (isRenewed && /^open(,expiring)+$/.test(asked.join())) {
          exchange('renewed', done);
        } else {
          done((isRenewed ? '' : 'not ') + 'renewed, asked: ' + asked);
        }
      }, TERM_MS + 500);
    });
  },

  revoked: function (done) {
    expectClose(REVOKED, done);
    socket.send('!revoke');
  },

  /** The app ends the session as a server does that restarts, and another follows by itself. */
  reopened: function (done) {
    var options = openOptions();
    options.reopen = { maxMs: REOPEN_MS };
    openSession(options, function (failure) {
      if (failure) {
        done(failure);
        return;
      }
      var previous = socket.id;
      var isReopened = false;
      onClose = function (event) {
        done('closed with ' + event.code + ' ' + event.reason);
      };
      socket.onreopen = function (event) {
        // What the app has heard it may not have acknowledged.
        var isRight = event.code === RESTART.code && event.reason === RESTART.reason && event.previous === previous &&
          socket.id !== previous && socket.readyState === 1 && /^(!restart)?$/.test(event.unacknowledged.join());
        if (isRight) {
          isReopened = true;
          socket.ontransport();
        } else {
          done('reopened after ' + event.code + ' ' + event.reason + ', ' + event.previous + ' is now ' + socket.id +
            ', readyState ' + socket.readyState + ', not acknowledged: ' + event.unacknowledged);
        }
      };
      socket.ontransport = function () {
        if (isReopened && socket.transport === query.reached) {
          socket.ontransport = null;
          exchange('reopened', function (failed) {
            if (failed) {
              done(failed);
            } else {
              steps.closedByPage(done);
            }
          });
        }
      };
      socket.send('!restart');
    });
  }
};

/** Steps that begin with a session of their own. */
var OWN_SESSION = { closedByApp: true, closedByBoth: true, subProtocols: true, renewed: true, reopened: true };

function openOptions() {
  var options = { withCredentials: query.credentials === 'yes' };
  if (query.transport) {
    options.transports = [query.transport];
  }
  if (query.connectMs) {
    options.connectTimeoutMs = +query.connectMs;
  }
  return options;
}

/** Opens the session of the steps that follow, and waits until it is carried as it is to be. */
function openSession(options, done) {
  var opened = socket = new Anywire(query.server, [], options);
  var isOpen = false;
  var isThere = false;
  socket.binaryType = 'arraybuffer';
  socket.onopen = function () {
    if (isOpen) {
      report(['error', 'open came twice']);
    }
    isOpen = true;
    socket.ontransport();
  };
  // Over HTTP it opens by a poll, and what carries down then must be proven first.
  socket.ontransport = function () {
    if (isOpen && !isThere && (!query.reached || opened.transport === query.reached)) {
      isThere = true;
      done('');
    }
  };
  // What comes late of a session before this one is nobody's.
  socket.onmessage = function (event) {
    if (socket === opened) {
      onMessage(event.data);
    }
  };
  socket.onclose = function (event) {
    if (socket === opened) {
      onClose(event);
    }
  };
  onClose = function (event) {
    var closed = 'closed with ' + event.code + ' ' + event.reason + '; ';
    try {
      diagnose(query.server, options.withCredentials, function (text) {
        done(closed + text);
      });
    } catch (error) {
      done(closed + 'no diagnosis: ' + (error.message || error));
    }
  };
}

/** Opens a session with sub-protocols, and does no more than to wait for that. */
function openAside(protocols, opened) {
  var aside = socket = new Anywire(query.server, protocols, openOptions());
  onClose = function (event) {
    throw new Error('closed with ' + event.code + ' ' + event.reason + ' before it opened');
  };
  aside.onopen = opened;
  aside.onclose = function (event) {
    onClose(event);
  };
}

/** Both sides send the samples while something between refuses some bodies. What the client learns is forgotten again. */
function between(what, name, done) {
  ask('/between', what);
  function finish(failure) {
    ask('/between', '');
    try {
      for (var key in localStorage) {
        if (key.indexOf('anywire ') === 0) {
          localStorage.removeItem(key);
        }
      }
    } catch (error) {
      // There is none.
    }
    done(failure);
  }
  exchange(name, finish);
  done.progress = finish.progress;
}

/** Both sides send the samples; halfway the page may wait for something. */
function exchange(name, done, halfway) {
  var expected = samples[name]();
  var received = 0;
  var isHeard = false;
  var wrong = [];

  onMessage = function (data) {
    if (data === '!heard ' + name) {
      isHeard = true;
    } else {
      var why = received < expected.length ? difference(expected[received], data) : 'one too many';
      if (why) {
        wrong.push('message ' + received + ': ' + why);
      }
      received++;
    }
    if (isHeard && received >= expected.length) {
      finish();
    }
  };
  onClose = function (event) {
    done('closed with ' + event.code + ' ' + event.reason + ' after ' + progress());
  };
  done.progress = progress;

  function progress() {
    return received + ' of ' + expected.length + ' down, ' + (isHeard ? 'all' : 'not all') + ' up';
  }

  function finish() {
    // After a cut, a held poll may carry on until the transport is tried again.
    if (query.transport && socket.transport !== query.transport && name !== 'resumed') {
      wrong.push('carried by ' + socket.transport);
    }
    done(wrong.length ? wrong.length + ' wrong, first ' + wrong.slice(0, 3).join('; ') : '');
  }

  function send(from, end) {
    for (var i = from; i < end; i++) {
      socket.send(expected[i]);
    }
  }

  socket.send('!step ' + name);
  if (halfway) {
    var half = expected.length / 2;
    send(0, half);
    halfway(function () {
      send(half, expected.length);
    });
  } else {
    send(0, expected.length);
  }
}

function expectClose(expected, done) {
  onClose = function (event) {
    var isRight = event.code === expected.code && event.reason === expected.reason && event.wasClean === event.code < 4900 &&
      socket.readyState === 3;
    done(isRight ? '' : 'closed with ' + event.code + ' ' + event.reason + ', wasClean ' + event.wasClean +
      ', readyState ' + socket.readyState);
  };
}

function unexpected(what) {
  return function (value) {
    hasFailed = true;
    report(['error', what + ' between steps: ' + (value && value.code || value)]);
  };
}

/** Goes on with the next step; after one that broke the session, in a new one, to see what else is wrong. */
function proceed(names, isStuck) {
  var needsSession = names.length && !OWN_SESSION[names[0]];
  if (!needsSession || socket && socket.readyState === 1 && !isStuck) {
    run(names);
  } else if (!socket) {
    end();
  } else {
    onClose = function () {};
    socket.close();
    steps.open(function (failure) {
      if (failure) {
        end();
      } else {
        run(names);
      }
    });
  }
}

/** Runs one step after the other. */
function run(names) {
  var name = names.shift();
  if (!name) {
    end();
    return;
  }
  var begunAt = now();
  var isDone = false;
  var timer = setTimeout(function () {
    done('took too long' + (done.progress ? ', ' + done.progress() : '') + (socket ? ', ' + trace() : ''));
  }, STEP_MS);

  function done(failure, skipped) {
    if (isDone) {
      return;
    }
    isDone = true;
    clearTimeout(timer);
    onMessage = unexpected('a message');
    onClose = unexpected('a close');
    hasFailed = hasFailed || !!failure;
    report(['step', name, failure ? 'failed' : skipped ? 'skipped' : 'ok', now() - begunAt,
      socket && socket.transport || '', failure || skipped || '']);
    // Anew, so that no step runs inside a callback of the last.
    setTimeout(function () {
      proceed(names, /too long/.test(failure));
    }, 0);
  }

  try {
    steps[name](done);
  } catch (error) {
    done('threw ' + (error.message || error) + (error.stack ? ' ' + error.stack : ''));
  }
}

/** Why it is carried as it is, in the client's own words. */
function trace() {
  var attempts = [];
  for (var i = 0; i < socket.trace.length; i++) {
    var attempt = socket.trace[i];
    attempts.push(attempt.leg + ' ' + attempt.phase + ' ' + Math.round(attempt.ms) + ' ' + attempt.result);
  }
  return 'trace: ' + attempts.join(', ');
}

function end() {
  report(['end', hasFailed ? 'failed' : 'passed', socket ? trace() : '']);
  document.title = 'done';
}

onMessage = unexpected('a message');
onClose = unexpected('a close');
setTimeout(function () {
  report(['about', navigator.userAgent]);
  run(query.steps.split(','));
}, 0);
