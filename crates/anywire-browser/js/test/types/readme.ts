// Checked by `npm run check`, never run: the declared types allow what the README shows.

import Anywire = require('../../index');

const socket = new Anywire('/anywire', ['chat'], {
  transports: ['stream', 'poll'],
  backoff: { minMs: 1, maxMs: 2 },
});
socket.binaryType = 'arraybuffer';
socket.onmessage = (event) => socket.send(event.data);
socket.onclose = function (event) {
  this.dispatchEvent({ type: event.wasClean ? event.reason : String(event.code) });
};
socket.addEventListener('transport', (event) => {
  const change: [Anywire.Transport, string] = [event.previous, event.transport];
  change.push();
}, { once: true });
socket.send(new Uint8Array(1));
socket.block('websocket');
socket.close(3000, socket.trace[0].result);

// @ts-expect-error there is no such transport
socket.block('carrier pigeon');
