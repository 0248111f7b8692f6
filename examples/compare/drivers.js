// Three small clients that speak PROTOCOL §6, §13 and §14 directly, so that each lane is carried by its transport alone:
// short polls, a stream read by XMLHttpRequest, and an EventSource. All of them keep one session, and attach anew
// with what they have received.
(function (Compare) {
  'use strict';

  var ACK_MS = 1000;
  var RETRY_MS = 200;

  function packet(letter, content) {
    return content.length + ':' + letter + content;
  }

  // A session's state: who it is, and what it has.
  function Session(url, got) {
    this.url = url;
    this.got = got;
    this.renew();
  }

  Session.prototype.renew = function () {
    this.key = '';
    while (this.key.length < 32) {
      this.key += Math.floor(Math.random() * 16).toString(16);
    }
    this.identity = null;
    this.received = this.acknowledged = this.next = 0;
  };

  // The packet that opens or attaches.
  Session.prototype.greeting = function (holdMs) {
    if (this.identity) {
      var words = [this.identity.session, this.identity.secret, 1, this.received];
      return packet('x', words.concat(holdMs === undefined ? [] : [holdMs]).join(' '));
    }
    var open = { version: 1, key: this.key, generation: 1 };
    if (holdMs !== undefined) {
      open.holdMs = holdMs;
    }
    return packet('o', JSON.stringify(open));
  };

  // What an event stream's address offers.
  Session.prototype.offer = function () {
    var who = this.identity;
    return 'anywire.v1,' + (who ?
      ['anywire.attach', who.session, who.secret, 1, this.received].join('.') :
      'anywire.open.' + this.key + '.1');
  };

  // Takes the whole packets of a text; returns where the rest begins.
  Session.prototype.read = function (text) {
    var at = 0;
    for (;;) {
      var colon = text.indexOf(':', at);
      var end = colon + 2 + parseInt(text.substring(at, colon), 10);
      if (colon < 0 || text.length < end) {
        return at;
      }
      this.take(text.charAt(colon + 1), text.substring(colon + 2, end));
      at = end;
    }
  };

  Session.prototype.take = function (letter, content) {
    if (letter === 'O') {
      this.identity = JSON.parse(content);
    } else if (letter === 'n') {
      this.next = parseInt(content, 10);
    } else if (letter === 't') {
      // What has come before is dropped (PROTOCOL §4.4).
      if (this.next === this.received) {
        this.received += 1;
        this.got(content);
      }
      this.next += 1;
    } else if (letter === 'c') {
      this.renew();
    }
  };

  // One exchange; `done` is told the body, or null.
  Session.prototype.post = function (endpoint, body, done, progress) {
    var request = new XMLHttpRequest();
    var session = this;
    request.open('POST', this.url + endpoint, true);
    request.setRequestHeader('Content-Type', 'text/plain');
    request.onprogress = progress ? function () { progress(request); } : null;
    request.onloadend = function () {
      // The session is gone: the next greeting opens another.
      if (request.status === 404) {
        session.renew();
      }
      done(request.status === 200 ? request.responseText : null, request);
    };
    request.send(body);
  };

  // Says at intervals what has come, where nothing else goes up.
  Session.prototype.acknowledge = function () {
    var session = this;
    setInterval(function () {
      var received = session.received;
      if (session.identity && received > session.acknowledged) {
        session.post('/poll', session.greeting(), function (body) {
          session.acknowledged = body === null ? session.acknowledged : received;
        });
      }
    }, ACK_MS);
  };

  Compare.drivers = {
    'short-poll': function (url, got, settings) {
      var session = new Session(url, got);
      (function ask() {
        var asked = Date.now();
        session.post('/poll', session.greeting(0), function (body) {
          if (body !== null) {
            session.read(body);
          }
          setTimeout(ask, Math.max(0, asked + settings().intervalMs - Date.now()));
        });
      })();
    },

    stream: function (url, got) {
      var session = new Session(url, got);
      session.acknowledge();
      (function open() {
        var seen = 0;
        function more(request) {
          if (request.status === 200) {
            seen += session.read(request.responseText.substr(seen));
          }
        }
        session.post('/stream', session.greeting(), function (body, request) {
          more(request);
          setTimeout(open, body === null ? RETRY_MS : 0);
        }, more);
      })();
    },

    events: function (url, got) {
      var session = new Session(url, got);
      session.acknowledge();
      (function open() {
        var source = new EventSource(url + '/events?offer=' + encodeURIComponent(session.offer()));
        source.onmessage = function (event) {
          session.read(decodeURIComponent(event.data));
        };
        // It would come again by itself, but with the offer of long ago. A refusal shows no status, so an exchange asks.
        source.onerror = function () {
          source.close();
          session.post('/poll', session.greeting(), function (body) {
            setTimeout(open, body === null ? RETRY_MS : 0);
          });
        };
      })();
    }
  };
})(window.Compare);
