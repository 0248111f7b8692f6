// Short polling, which no part of Anywire does: a small client that speaks PROTOCOL §6 directly, asks at an interval
// and holds nothing. It keeps one session, and attaches anew with what it has received each time it asks.
(function (Compare) {
  'use strict';

  // Follows the events at `url`: `got` is told each, and `settings` how often to ask.
  Compare.shortPoll = function (url, got, settings) {
    var session = new Session(got);
    (function ask() {
      var asked = Date.now();
      session.post(url + '/poll', function () {
        setTimeout(ask, Math.max(0, asked + settings().intervalMs - Date.now()));
      });
    })();
  };

  // A session's state: who it is, and what it has.
  function Session(got) {
    this.got = got;
    this.renew();
  }

  Session.prototype.renew = function () {
    this.key = '';
    while (this.key.length < 32) {
      this.key += Math.floor(Math.random() * 16).toString(16);
    }
    this.identity = null;
    this.received = this.next = 0;
  };

  // One exchange, from its answer to the next pause.
  Session.prototype.post = function (url, done) {
    var request = new XMLHttpRequest();
    var session = this;
    request.open('POST', url, true);
    request.setRequestHeader('Content-Type', 'text/plain');
    request.onreadystatechange = function () {
      if (request.readyState !== 4) {
        return;
      }
      if (request.status === 200) {
        session.read(request.responseText);
      } else if (request.status === 404) {
        // The session is gone: the next greeting opens another.
        session.renew();
      }
      done();
    };
    request.send(this.greeting());
  };

  // The packet that opens or attaches, without a hold.
  Session.prototype.greeting = function () {
    var who = this.identity;
    return who ?
      packet('x', [who.session, who.secret, 1, this.received, 0].join(' ')) :
      packet('o', JSON.stringify({ version: 1, key: this.key, generation: 1, holdMs: 0 }));
  };

  // Takes the packets of an answer.
  Session.prototype.read = function (text) {
    for (var at = 0; at < text.length;) {
      var colon = text.indexOf(':', at);
      var end = colon + 2 + parseInt(text.substring(at, colon), 10);
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

  function packet(letter, content) {
    return content.length + ':' + letter + content;
  }
})(window.Compare);
