// Both builds come by `import`, and without a WebSocket the client says so.
import Anywire from 'anywire';
import Full from 'anywire/full';

if (Anywire.OPEN !== 1 || Full.CLOSED !== 3) throw new Error('not the class');
const socket = new Anywire('ws://127.0.0.1:9/anywire', [], { WebSocket: null, XMLHttpRequest: null });
const { reason } = await new Promise((resolve) => { socket.onclose = resolve; });
if (!/WebSocket/.test(reason)) throw new Error(`the reason is ${reason}`);
console.log(`Node ${process.version} without a WebSocket: ${reason}`);
