// y-websocket: bytes as ArrayBuffers, a room in the path, handlers set to null, `close()` without a code, and a way of
// its own to come back.

import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

export async function yjs(Anywire, { tell, until, untilCarried }) {
  const open = async (id, text) => {
    const doc = new Y.Doc();
    doc.clientID = id;
    doc.getText('text').insert(0, text);
    // Without `disableBc` documents of one origin would meet beside the server.
    const provider = new WebsocketProvider('/yjs', 'garden', doc, { WebSocketPolyfill: Anywire, disableBc: true });
    provider.on('status', ({ status }) => tell(`${id} ${status}`));
    provider.on('connection-close', (event) => tell(`${id} closed ${event && `${event.code} ${event.reason} ${event.wasClean}`}`));
    provider.on('connection-error', () => tell(`${id} error`));
    await until(() => provider.synced);
    tell(`${id} synced`);
    return { doc, provider, text: doc.getText('text'), bytes: doc.getMap('bytes') };
  };
  const haveConverged = (...docs) => until(() => {
    const [one, two] = docs.map(({ doc }) => String(Y.encodeStateAsUpdate(doc)));
    return one === two;
  });

  const one = await open(1, 'roots');
  const two = await open(2, 'é🦀 ');
  await untilCarried();
  await haveConverged(one, two);
  tell([one, two].map(({ text }) => text.length).join());

  one.text.insert(one.text.length, 'x'.repeat(100_000));
  two.bytes.set('all', new Uint8Array(256).map((_, i) => i));
  one.provider.awareness.setLocalState({ name: 'é' });
  await haveConverged(one, two);
  await until(() => two.provider.awareness.getStates().get(1)?.name === 'é');
  tell(`bytes ${one.bytes.get('all').every((byte, i) => byte === i)}, text ${two.text.length}`);

  await fetch('/hang-up');
  await until(() => !one.provider.wsconnected && !two.provider.wsconnected);
  one.text.insert(0, '1 was alone. ');
  two.text.insert(0, '2 was alone. ');
  await until(() => one.provider.synced && two.provider.synced);
  await untilCarried();
  await haveConverged(one, two);
  tell(`back: ${/^(1 was alone. 2|2 was alone. 1) was alone. /.test(one.text)}, text ${two.text.length}`);

  one.provider.destroy();
  two.provider.destroy();
}
