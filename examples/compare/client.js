// The client of one lane: the Anywire client held to one transport, short polling, or plain requests.
(function (Compare) {
  'use strict';

  // What may carry each lane's session. Long polling carries that of WebSocket while it is broken, so that the fallback
  // is seen to cost something; without a list, streaming would, which is the lane above.
  var TRANSPORTS = {
    'long-poll': ['poll'], events: ['events'], stream: ['stream'], websocket: ['websocket', 'poll']
  };

  // Connects to the lane's relay; `got` is told each message, and `settings` how often a short poll asks.
  function Client(kind, port, settings, got) {
    var client = this;
    this.url = 'http://' + location.hostname + ':' + port;
    this.got = got;
    // What carries the session now.
    this.transport = '';
    this.memory = {};
    // Plain requests have neither.
    this.socket = this.shortPoll = null;
    if (kind === 'short-poll') {
      this.shortPoll = new Compare.ShortPoll(this.url + '/live', got, settings);
    } else if (kind !== 'fetch') {
      this.socket = new Anywire(this.url + '/live', [], {
        transports: TRANSPORTS[kind], withCredentials: false, localStorage: this.memory
      });
      this.socket.onmessage = function (event) { got(event.data); };
      this.socket.ontransport = function () { client.transport = client.socket.transport; };
    }
  }

  // Whether something can be said.
  Client.prototype.isOpen = function () {
    return !this.socket || this.socket.readyState === 1;
  };

  // Says a text; `failed` is told if it got lost, which only plain requests do.
  Client.prototype.say = function (text, failed) {
    if (this.socket) {
      this.socket.send(text);
    } else if (this.shortPoll) {
      this.shortPoll.say(text);
    } else {
      this.request('/ask', text, failed);
    }
  };

  // Sends bytes in these parts.
  Client.prototype.upload = function (parts, failed) {
    var client = this;
    if (this.socket) {
      parts.forEach(function (part) { client.socket.send(part); });
    } else if (this.shortPoll) {
      parts.forEach(function (part) { client.shortPoll.sayBytes(Compare.base64(part)); });
    } else {
      this.request('/upload', new Blob(parts), failed);
    }
  };

  // The network is another from now on: what the client remembers of it, for ten minutes, is not true of this one.
  Client.prototype.forget = function () {
    for (var name in this.memory) {
      delete this.memory[name];
    }
  };

  // A request of its own, which is what a page does without a session: `fetch` where there is one.
  Client.prototype.request = function (path, body, failed) {
    var got = this.got;
    function done(answer) {
      if (answer === null) {
        failed();
      } else {
        got(answer);
      }
    }
    if (window.fetch) {
      fetch(this.url + path, { method: 'POST', body: body }).then(function (response) {
        return response.ok ? response.text() : null;
      }).then(done, function () { done(null); });
      return;
    }
    var request = new XMLHttpRequest();
    request.open('POST', this.url + path, true);
    request.setRequestHeader('Content-Type', 'text/plain');
    request.onreadystatechange = function () {
      if (request.readyState === 4) {
        done(request.status === 200 ? request.responseText : null);
      }
    };
    request.send(body);
  };

  Compare.Client = Client;
})(window.Compare);
