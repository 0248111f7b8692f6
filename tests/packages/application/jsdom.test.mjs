// The client in a page of jsdom, from the package and as Vite built it.
import { expect, test } from 'vitest';
import Anywire from 'anywire';
import Full from 'anywire/full';
import { echo, echoed } from './echo.mjs';

for (const [name, Socket] of [['anywire', Anywire], ['anywire/full', Full]]) {
  test(`${name} has the constants of a WebSocket`, () => {
    const { CONNECTING, OPEN, CLOSING, CLOSED } = Socket;
    expect([CONNECTING, OPEN, CLOSING, CLOSED]).toEqual([0, 1, 2, 3]);
  });

  for (const transport of ['websocket', 'poll']) {
    test(`${name} gets its messages back over ${transport}`, async () => {
      const socket = new Socket('/anywire', [], { transports: [transport] });
      expect(await echo(socket)).toEqual(echoed(transport));
    });
  }
}

for (const page of ['anywire', 'full']) {
  test(`${page}.html, built by Vite, gets its message back`, async () => {
    document.title = 'waiting';
    await import(`./built/${page}.js`);
    await expect.poll(() => document.title, { timeout: 4_000 }).toBe('hello from Vite');
  });
}
