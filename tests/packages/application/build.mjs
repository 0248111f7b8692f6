// Vite builds three pages: one uses `anywire`, one `anywire/full`, and one imports both and uses neither. It leaves each
// page's script as `built/<page>.js`.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build, version } from 'vite';

const built = async (page) => {
  const rolldownOptions = { input: `${page}.html`, output: { entryFileNames: '[name].js' } };
  await build({ logLevel: 'warn', build: { outDir: 'built', emptyOutDir: false, rolldownOptions } });
  const script = readFileSync(`built/${page}.js`, 'utf8');
  return { hasClient: script.includes('anywire.v1'), bytes: gzipSync(script).length };
};

const unused = await built('unused');
if (unused.hasClient || unused.bytes > 600) throw new Error(`a page without a client has ${unused.bytes} bytes with gzip`);
const added = async (page) => {
  const { hasClient, bytes } = await built(page);
  if (!hasClient) throw new Error(`built/${page}.js has ${bytes} bytes with gzip, and no client among them`);
  return bytes - unused.bytes;
};
console.log(`Vite ${version}, bytes with gzip: anywire ${await added('anywire')}, anywire/full ${await added('full')}; ${unused.bytes} where neither is used`);
