/** Sends a text and bytes, and closes after two messages. Gives those, the transport that carried them, and the close. */
export const echo = (socket) => new Promise((resolve) => {
  const messages = [];
  let transport = '';
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    socket.send('grüß dich');
    socket.send(new Uint8Array([0, 127, 255]));
  };
  socket.onmessage = ({ data }) => {
    transport = socket.transport;
    messages.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
    if (messages.length === 2) socket.close(1000, 'enough');
  };
  socket.onclose = ({ code, reason }) => resolve({ messages, transport, code, reason });
});

/** What `echo` gives where the server sends back what it receives. */
export const echoed = (transport) => ({
  messages: ['grüß dich', [0, 127, 255]],
  transport,
  code: 1000,
  reason: 'enough',
});
