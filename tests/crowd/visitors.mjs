// The browser client in Node: `node visitors.mjs URL COUNT RECORDS`. Each client sends numbered messages and writes down which were
// accepted, and which were given back. All close in order when the standard input ends.

import { appendFileSync, readFileSync } from 'node:fs';

const [url, count, records] = process.argv.slice(2);
const script = readFileSync(new URL('../../crates/anywire-browser/js/dist/anywire.min.js', import.meta.url), 'utf8');
new Function('self', script)(globalThis);
const Anywire = globalThis.Anywire;

const PACE_MS = 1000;
let isStopped = false;
const clients = [];

for (let number = 0; number < Number(count); number++) {
  const name = `node-${number}`;
  const write = (fact) => appendFileSync(`${records}/${name}.log`, `${Date.now()} ${fact}\n`);
  const socket = new Anywire(url, [], { reopen: { resend: number % 2 === 0 }, connectTimeoutMs: 60000 });
  let sent = 0;
  socket.addEventListener('reopen', (event) => {
    write('back');
    if (!event.resent) {
      event.unacknowledged.forEach((text) => write(`returned ${text}`));
    }
  });
  const closed = new Promise((resolve) => socket.addEventListener('close', (event) => {
    write(isStopped ? `closed ${event.code}` : `ended ${event.code} ${event.reason}`);
    resolve();
  }));
  const say = () => {
    if (isStopped) {
      return;
    }
    if (socket.readyState === 1) {
      socket.send(`${name}-${sent}`);
      write(`sent ${name}-${sent}`);
      sent++;
    }
    setTimeout(say, PACE_MS);
  };
  setTimeout(say, PACE_MS * Math.random());
  clients.push({ socket, closed });
}

process.stdin.resume();
process.stdin.on('end', async () => {
  isStopped = true;
  clients.forEach(({ socket }) => socket.close());
  await Promise.all(clients.map(({ closed }) => closed));
  process.exit(0);
});
