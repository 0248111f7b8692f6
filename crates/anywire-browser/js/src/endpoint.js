/**
 * Owns where the endpoints of a mount path are.
 * Leaves the requests to them to the transports.
 */

/**
 * @param {string} url of the mount, or of its WebSocket endpoint; relative to the page
 * @returns {Endpoints}
 */
function resolveEndpoints(url) {
  var parts = /^(?:http|ws)(s?):\/\/([^\/?#]+)([^?#]*)(\?[^#]*)?(#|$)/i.exec(engine.absolute(url));
  if (!parts) {
    throw createError('SyntaxError', 'URL ' + url);
  }
  var host = parts[1].toLowerCase() + '://' + parts[2];
  var path = parts[3];
  var query = parts[4] || '';
  var mount = path.replace(/\/(websocket\/?)?$/, '');
  return {
    url: 'ws' + host + path + query,
    origin: 'ws' + host,
    websocket: 'ws' + host + mount + '/websocket' + query,
    poll: 'http' + host + mount + '/poll' + query
  };
}

/**
 * An error that looks like the one WebSocket throws.
 * @param {string} name
 * @param {string} message
 */
function createError(name, message) {
  var error = new Error(message);
  error.name = name;
  return error;
}
