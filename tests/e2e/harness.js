// What the tests run in the page: one client, numbered messages both ways, and what came of it.
window.harness = {
  start: function (options) {
    var self = { got: [], transports: [], opens: 0, closes: [], errors: 0, options: options || {} };
    // What carries down in place of holds has tests of its own.
    self.options.transports = self.options.transports || ['websocket', 'poll'];
    var socket = new Anywire(self.options.url || '/anywire', [], self.options);
    self.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = function () { self.opens += 1; };
    socket.onmessage = function (event) { self.got.push(event.data); };
    socket.onclose = function (event) {
      self.closes.push({ code: event.code, reason: event.reason, wasClean: event.wasClean });
    };
    socket.onerror = function () { self.errors += 1; };
    socket.addEventListener('transport', function () { self.transports.push(socket.transport); });
    window.run = self;
  },
  // Sends u0 to u(count-1), paced, while the server sends as many.
  exchange: function (count) {
    var self = window.run, next = 0;
    self.socket.send('send:' + count);
    (function some() {
      for (var i = 0; i < 5 && next < count; i += 1, next += 1) self.socket.send('u' + next);
      if (next < count) setTimeout(some, 5);
    })();
  }
};
