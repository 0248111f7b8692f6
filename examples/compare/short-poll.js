// Short polling, which no part of Anywire does: a small client that speaks PROTOCOL §6 directly, asks at an interval
// and holds nothing. It keeps one session, has one exchange at a time, and attaches anew with what it has in each.
(function (Compare) {
  'use strict';

  // Follows the session at `url`: `got` is told each message, and `settings` how often to ask.
  Compare.ShortPoll = function (url, got, settings) {
    this.url = url + '/poll';
    this.got = got;
    this.outgoing = [];
    this.isBusy = false;
    this.waiting = [];
    this.renew();
    var session = this;
    (function ask() {
      var asked = Date.now();
      session.exchange(function () {
        setTimeout(ask, Math.max(0, asked + settings().intervalMs - Date.now()));
      });
    })();
  };

  var ShortPoll = Compare.ShortPoll.prototype;

  // Sends a text, or bytes as base64: what comes back to it comes with a later answer.
  ShortPoll.say = function (text) {
    this.send(packet('t', text));
  };
  ShortPoll.sayBytes = function (base64) {
    this.send(packet('b', base64));
  };

  ShortPoll.send = function (message) {
    this.outgoing.push(message);
    this.exchange(function () {});
  };

  ShortPoll.renew = function () {
    this.key = '';
    while (this.key.length < 32) {
      this.key += Math.floor(Math.random() * 16).toString(16);
    }
    this.identity = null;
    this.received = this.next = 0;
    // The offset of the first message that is not acknowledged.
    this.acknowledged = 0;
  };

  // One exchange, after the one that is under way.
  ShortPoll.exchange = function (done) {
    this.waiting.push(done);
    if (!this.isBusy) {
      this.post();
    }
  };

  ShortPoll.post = function () {
    var session = this, waiting = this.waiting;
    var request = new XMLHttpRequest();
    this.isBusy = true;
    this.waiting = [];
    request.open('POST', this.url, true);
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
      session.isBusy = false;
      waiting.forEach(function (done) { done(); });
      if (session.waiting.length && !session.isBusy) {
        session.post();
      }
    };
    request.send(this.greeting());
  };

  // The packet that opens or attaches, without a hold, and what is not acknowledged.
  ShortPoll.greeting = function () {
    var who = this.identity;
    var packets = who ?
      packet('x', [who.session, who.secret, 1, this.received, 0].join(' ')) :
      packet('o', JSON.stringify({ version: 1, key: this.key, generation: 1, holdMs: 0 }));
    return this.outgoing.length ?
      packets + packet('n', String(this.acknowledged)) + this.outgoing.join('') : packets;
  };

  // Takes the packets of an answer.
  ShortPoll.read = function (text) {
    for (var at = 0; at < text.length;) {
      var colon = text.indexOf(':', at);
      var end = colon + 2 + parseInt(text.substring(at, colon), 10);
      this.take(text.charAt(colon + 1), text.substring(colon + 2, end));
      at = end;
    }
  };

  ShortPoll.take = function (letter, content) {
    if (letter === 'O') {
      this.identity = JSON.parse(content);
    } else if (letter === 'a') {
      this.outgoing.splice(0, parseInt(content, 10) - this.acknowledged);
      this.acknowledged = parseInt(content, 10);
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
