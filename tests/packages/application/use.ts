// An Anywire goes where a WebSocket is wanted.
import Anywire from 'anywire';
import Full from 'anywire/full';

const socket: WebSocket = new Anywire('/anywire');
const full: WebSocket = new Full('/anywire');
socket.onmessage = (event: MessageEvent) => full.send(event.data);
