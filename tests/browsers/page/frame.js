/**
 * Owns the page that goes with its session: it opens one that nobody closes, and tells the page around it.
 */

var options = { withCredentials: query.credentials === 'yes' };
if (query.transport) {
  options.transports = [query.transport];
}
var socket = new Anywire(query.server, ['abandoned'], options);
socket.onopen = function () {
  parent.frameOpened();
};
