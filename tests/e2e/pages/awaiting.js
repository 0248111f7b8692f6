// What pages do with a session that await its events. The outcome is for the test.
var awaiting = (function () {
  'use strict';
  var later = setTimeout;

  function open(transport) {
    return new Anywire('/anywire', [], { transports: [transport] });
  }

  function next(socket, type) {
    return new Promise(function (resolve, reject) {
      socket['on' + type] = resolve;
      later(function () { reject(type + ' was missed'); }, 8000);
    });
  }

  // An asynchronous iterator that hears one event at a time.
  function messages(socket) {
    return {
      [Symbol.asyncIterator]() {
        return { next: async () => ({ value: (await next(socket, 'message')).data, done: false }) };
      }
    };
  }

  async function onePage(transport) {
    var socket = open(transport);
    await next(socket, 'open');
    if (socket.readyState !== 1) throw 'open in state ' + socket.readyState;
    // A greeting that came with the open.
    var heard = [(await next(socket, 'message')).data];
    // Messages that come in one answer.
    socket.send('3');
    for (var i = 0; i < 3; i++) heard.push((await next(socket, 'message')).data);
    socket.send('4');
    for await (var data of messages(socket)) {
      heard.push(data);
      if (data === '3') break;
    }
    // A close that comes with a message.
    socket.send('bye');
    heard.push((await next(socket, 'message')).data);
    heard.push((await next(socket, 'close')).code, socket.readyState);
    if (heard.join() !== 'hello,0,1,2,0,1,2,3,last,3001,3') throw heard.join();
  }

  return {
    outcome: null,

    /** What was missed, of so many pages. */
    cases: async function (transport, count) {
      var missed = [];
      var left = count;
      async function some() {
        while (left-- > 0) {
          try {
            await onePage(transport);
          } catch (error) {
            missed.push(String(error));
          }
        }
      }
      // A browser has few connections.
      await Promise.all([some(), some()]);
      this.outcome = missed;
    },

    /** With nothing of the language but its syntax. */
    echo: function (transport) {
      var self = this;
      var heard = 'open';
      var socket = open(transport);
      socket.onopen = function () { socket.send('a'); socket.send('b'); socket.send('bye'); };
      socket.onmessage = function (event) { heard += ',' + event.data; };
      socket.onclose = function (event) { self.outcome = heard + ',close ' + event.code; };
    },

    /** Opens so many sessions and closes each at once, or so many ms later. */
    abandon: async function (transport, count, ms) {
      var left = count;
      async function some() {
        while (left-- > 0) {
          var socket = open(transport);
          if (ms) {
            await new Promise(function (resolve) { later(resolve, ms); });
          }
          socket.close();
        }
      }
      // More at once, and browsers make WebSockets wait.
      await Promise.all([some(), some(), some()]);
      this.outcome = true;
    },

    /** A session by script tags that begins while the page is loading. */
    stay: function () {
      var self = this;
      open('jsonp').onmessage = function (event) { self.outcome = event.data; };
    },

    /** How many ms it takes to hear so many messages. */
    burst: async function (transport, count) {
      var socket = open(transport);
      await next(socket, 'message');
      var began = performance.now();
      var heard = 0;
      await new Promise(function (resolve) {
        socket.onmessage = function () { if (++heard === count) resolve(); };
        socket.send('' + count);
      });
      this.outcome = performance.now() - began;
      socket.close();
    }
  };
})();
