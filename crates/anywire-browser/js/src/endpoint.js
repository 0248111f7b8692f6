/**
 * Owns where the endpoints of a mount path are.
 * Leaves the requests to them to the transports.
 */

/**
 * @param {string} url of the mount, or of its WebSocket endpoint; relative to the page
 * @returns {Endpoints}
 */
function resolveEndpoints(url) {
  var parts = /^(?:http|ws)(s?):\/\/([^\/?#]+)([^?#]*)(\?[^#]*)?(#|$)/i.exec(absoluteUrl(url));
  if (!parts) {
    throw newError('SyntaxError', 'URL ' + url);
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
