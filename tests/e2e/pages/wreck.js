// A page that puts its own in the place of the language's methods and functions, which do not work.
(function () {
  function broken() { throw new Error('the page has changed this'); }
  Array.prototype.push = Array.prototype.concat = Array.prototype.join = Array.prototype.splice = broken;
  Array.prototype.shift = Array.prototype.slice = Array.prototype.indexOf = Array.prototype.forEach = broken;
  String.prototype.split = String.prototype.replace = String.prototype.charAt = String.prototype.substr = broken;
  String.prototype.substring = String.prototype.indexOf = String.prototype.charCodeAt = broken;
  Math.random = Math.max = Math.min = Math.floor = Math.round = broken;
  Object.prototype.then = broken;
  window.Uint8Array = window.TextDecoder = window.TextEncoder = window.Blob = window.WebSocket = broken;
  window.JSON = { parse: broken, stringify: broken };
  window.setTimeout = window.clearTimeout = window.encodeURIComponent = window.decodeURIComponent = broken;
  window.XMLHttpRequest = window.EventSource = window.MessageChannel = broken;
  Function.prototype.bind = Function.prototype.apply = Function.prototype.call = broken;
})();
