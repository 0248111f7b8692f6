// reconnecting-websocket: listeners that come and go, `close()` while it connects, queued messages, both kinds of bytes,
// and a new socket at the least occasion.

import ReconnectingWebSocket from 'reconnecting-websocket';

export async function reconnecting(Anywire, { tell, until, untilTold, untilCarried }) {
  let attempt = 0;
  const got = [];
  const url = () => `/echo?attempt=${(attempt += 1)}`;
  const pauses = { connectionTimeout: 4_000, minReconnectionDelay: 10, maxReconnectionDelay: 10 };
  const socket = new ReconnectingWebSocket(url, 'chat', { WebSocket: Anywire, ...pauses });
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => tell(`open ${attempt} ${socket.protocol} ${socket.readyState} ${JSON.stringify(socket.extensions)}`);
  socket.onclose = (event) => tell(`close ${event.code} ${event.reason} ${event.wasClean}`);
  socket.onerror = (event) => tell(event.type);
  socket.addEventListener('message', (event) => got.push(event.data));
  const echoes = async (...messages) => {
    got.length = 0;
    messages.forEach((message) => socket.send(message));
    await until(() => got.length === messages.length);
    return got;
  };

  const bytes = new Uint8Array(256).map((_, i) => i);
  const [text, buffer] = await echoes('queued é🦀', bytes.subarray(128));
  tell(`${text}, ${buffer instanceof ArrayBuffer} ${String(new Uint8Array(buffer)) === String(bytes.subarray(128))}`);
  await untilCarried();
  socket.binaryType = 'blob';
  const [empty, blob] = await echoes('', new Blob([bytes]));
  tell(`${JSON.stringify(empty)}, ${blob instanceof Blob} ${String(new Uint8Array(await blob.arrayBuffer())) === String(bytes)}`);
  await until(() => socket.bufferedAmount === 0);

  socket.send('close:4321');
  await untilTold('open 3 chat 1 ""');
  await untilCarried();
  tell((await echoes('after its close'))[0]);

  socket.reconnect(4000, 'by hand');
  await untilTold('open 4 chat 1 ""');
  await untilCarried();
  tell((await echoes('after ours'))[0]);

  socket.close();
  await until(() => socket.readyState === 3);
  tell(`url ${new URL(socket.url).search}`);
}
