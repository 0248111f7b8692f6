// The constructors that are swapped in. Nothing else differs from one run to the next.

const TRANSPORTS = ['websocket', 'stream', 'events', 'poll', 'jsonp'];

// The browser's own, at the endpoint for clients that speak no Anywire.
class Raw extends WebSocket {
  constructor(url, protocols) {
    super(url.replace(/(?=\?|$)/, '/raw'), protocols);
  }
}

const sockets = [];

function over(transport, Build) {
  return class extends Build {
    constructor(url, protocols) {
      super(url, protocols, { transports: [transport] });
      sockets.push(this);
    }
  };
}

// `Modern` is what the page has kept of the modern build.
export const ways = { native: Raw, default: Anywire, modern: Modern, 'modern-poll': over('poll', Modern) };
for (const transport of TRANSPORTS) ways[transport] = over(transport, Anywire);

/** For whoever looks why a way does not carry. */
export function traces() {
  return sockets.map(({ transport, trace }) => `${transport}: ${JSON.stringify(trace)}`).join('\n');
}

// Over HTTP a session begins with a poll, whatever carries it then.
export function isCarriedBy(way) {
  return sockets.every((socket) => socket.readyState > 1 || socket.transport === way.replace('modern-', ''));
}
