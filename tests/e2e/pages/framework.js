// What frameworks of 2005 to 2012 gave to lists, texts, functions and all objects, in their manner.
(function () {
  var slice = Array.prototype.slice;
  // Lists and texts that write themselves as text, for a JSON that was not there yet.
  Array.prototype.toJSON = function () { return '[' + this.join(', ') + ']'; };
  String.prototype.toJSON = function () { return '"' + this + '"'; };
  Number.prototype.toJSON = function () { return '' + this; };
  // Members of all objects, which every loop finds; among them names that a client may use.
  var names = ['extend', 'each', 'keys', 'drop', 'poll', 'websocket', 'start', 'code', 'message', 'hold', 'once', 'url',
    'first', 'protocol', 'limits', 'version', 'transports', 'carrier', 'lost', 'stalled', 'toJSONString'];
  for (var i = 0; i < names.length; i++) {
    Object.prototype[names[i]] = function () { return this; };
  }
  Array.prototype.each = Array.prototype.forEach;
  Array.prototype.first = function () { return this[0]; };
  Array.prototype.last = function () { return this[this.length - 1]; };
  Array.prototype.clear = function () { this.length = 0; return this; };
  // Methods with other meanings than those that came later.
  Array.prototype.reduce = function () { return this.length > 1 ? this : this[0]; };
  Array.from = function (some) { return slice.call(some); };
  String.prototype.startsWith = String.prototype.endsWith = function () { return false; };
  Function.prototype.bind = function () {
    var method = this;
    var given = slice.call(arguments);
    var object = given.shift();
    return function () { return method.apply(object, given.concat(slice.call(arguments))); };
  };
})();
