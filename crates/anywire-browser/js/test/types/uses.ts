// Checked by `npm run check` with the types of a page, of a worker and of neither, never run: what programs do with an
// Anywire, among it all that they do with a WebSocket.

import Anywire = require('../../index');

/** The engine's types, where the program knows them. */
type Native<Name extends string> = Name extends keyof typeof globalThis ?
  (typeof globalThis)[Name] extends { prototype: infer T } ? T : never : never;
type Known<T, Else> = [T] extends [never] ? Else : T;

/** It may stand where a WebSocket is asked for. */
const socket: Known<Native<'WebSocket'>, Anywire> = new Anywire('/anywire');
socket.onopen = () => socket.send('hello');
socket.onclose = (event: Known<Native<'CloseEvent'>, Anywire.CloseEvent>) => [event.code, event.reason, event.wasClean];
socket.onmessage = (event: Known<Native<'MessageEvent'>, Anywire.MessageEvent>) => event.data;
socket.onerror = null;
socket.addEventListener('message', (event: Known<Native<'MessageEvent'>, Anywire.MessageEvent>) => event.data.length);
socket.addEventListener('close', { handleEvent: () => {} }, { once: true });
socket.removeEventListener('message', () => {});
const state: number = socket.readyState;
if (state === Anywire.OPEN && socket.OPEN === 1) {
  socket.binaryType = 'arraybuffer';
}

/** And its class where a WebSocket's is. */
type Constructor = typeof globalThis extends { WebSocket: infer C } ? C : typeof Anywire;
function open(Socket: Constructor) {
  return new Socket('/anywire', ['a', 'b']).protocol.length;
}
open(Anywire);

class Polling extends Anywire {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { transports: ['poll'], first: ['hello', new Uint8Array(1)] });
  }
}

const mine = new Polling('/anywire');
mine.addEventListener('transport', (event) => {
  const change: [Anywire.Transport, string] = [event.previous, event.transport];
  return change;
}, { signal: undefined });
mine.addEventListener('message', (event) => event.data, false);
mine.addEventListener('of my own', () => {});
mine.ontransport = function (event) {
  return [event.transport, this === mine];
};
mine.addEventListener('reopen', (event) => {
  const known: [number, string, string, boolean] = [event.code, event.reason, event.previous, event.resent];
  event.unacknowledged.forEach((message) => mine.send(message));
  return known.concat(mine.id);
});
mine.onreopen = (event) => event.unacknowledged.length;
new Anywire('/anywire', [], { authorize: 'token', reopen: true });
new Anywire('/anywire', [], { authorize: async (why) => (why === 'open' ? 'token' : null), reopen: { resend: true } });
new Anywire('/anywire', [], { authorize: (_, done) => { done(null); }, reopen: Anywire.reopen({ tries: 3 }) });
mine.send(new ArrayBuffer(8));
mine.close(3000, mine.trace.map(({ result }) => result).join());
new Anywire({ href: 'ws://h/' });

// @ts-expect-error there is no such option
new Anywire('/anywire', [], { reopen: { minMs: 1 } });
// @ts-expect-error what `reopen()` gives is meant
new Anywire('/anywire', [], { reopen: Anywire.reopen });
// @ts-expect-error it is not a message
mine.send(1);
// @ts-expect-error there is no such transport
new Anywire('/anywire', [], { transports: ['carrier pigeon'] });
