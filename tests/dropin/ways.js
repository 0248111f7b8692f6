// The constructors that are swapped in. Nothing else differs from one run to the next.

const RUNGS = ['websocket', 'stream', 'events', 'poll', 'jsonp'];

// The browser's own, at the endpoint for clients that speak no Anywire.
class Raw extends WebSocket {
  constructor(url, protocols) {
    super(url.replace(/(?=\?|$)/, '/raw'), protocols);
  }
}

const sockets = [];

function over(rung) {
  return class extends Anywire {
    constructor(url, protocols) {
      super(url, protocols, { transports: [rung] });
      sockets.push(this);
    }
  };
}

export const ways = { native: Raw, default: Anywire };
for (const rung of RUNGS) ways[rung] = over(rung);

/** For whoever looks why a way does not carry. */
export function traces() {
  return sockets.map(({ transport, trace }) => `${transport}: ${JSON.stringify(trace)}`).join('\n');
}

// Over HTTP a session begins with a poll, whatever carries it then.
export function isCarriedBy(way) {
  return sockets.every((socket) => socket.readyState > 1 || socket.transport === way);
}
