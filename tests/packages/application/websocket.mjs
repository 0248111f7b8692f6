// Node with a WebSocket: both builds talk to the server whose address is in SERVER.
import { deepStrictEqual } from 'node:assert';
import Anywire from 'anywire';
import Full from 'anywire/full';
import { echo, echoed } from './echo.mjs';

const deadline = setTimeout(() => { throw new Error('no echo within 30 seconds'); }, 30_000);
for (const Socket of [Anywire, Full]) {
  deepStrictEqual(await echo(new Socket(`${process.env.SERVER}/anywire`)), echoed('websocket'));
}
clearTimeout(deadline);
console.log(`Node ${process.version} with a WebSocket: text and bytes come back`);
