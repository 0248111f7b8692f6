#!/usr/bin/env bash
# Packs every crate and the npm package, and uses what was packed where there is no workspace around it: the crates' doc
# tests and builds, the npm package's types, imports and size.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
crates=(anywire-protocol anywire-core anywire-websocket anywire-polling anywire-browser anywire anywire-client)

echo "== crates: packed to $work"
cd "$root"
packages=()
for crate in "${crates[@]}"; do packages+=(-p "$crate"); done
cargo package --quiet --allow-dirty --no-verify --target-dir "$work/packed" "${packages[@]}" 2>&1 \
  | grep -v 'no documentation, homepage or repository\|^ *|$\|see https\|^$\|ignoring test' || true
mkdir "$work/crates"
for crate in "${crates[@]}"; do
  tar -xzf "$work"/packed/package/"$crate"-[0-9]*.crate -C "$work/crates"
  mv "$work"/crates/"$crate"-[0-9]* "$work/crates/$crate"
  for file in README.md LICENSE-MIT LICENSE-APACHE; do
    test -s "$work/crates/$crate/$file" || { echo "$crate: $file is not in the package"; exit 1; }
  done
done
cp Cargo.lock "$work/crates/"
{
  echo '[workspace]'
  echo 'resolver = "3"'
  echo 'members = ["anywire*"]'
  echo '[patch.crates-io]'
  for crate in "${crates[@]}"; do echo "$crate = { path = \"$crate\" }"; done
} > "$work/crates/Cargo.toml"
cd "$work/crates"
CARGO_TARGET_DIR=${ANYWIRE_PACKAGES_TARGET:-$root/target/packages} cargo test --quiet --doc --all-features
CARGO_TARGET_DIR=${ANYWIRE_PACKAGES_TARGET:-$root/target/packages} \
  cargo check --quiet -p anywire --no-default-features --features tower

echo "== npm package"
cd "$root/crates/anywire-browser/js"
npm pack --silent --pack-destination "$work" > /dev/null
mkdir "$work/application"
cd "$work/application"
echo '{ "private": true }' > package.json
npm install --silent --no-audit --no-fund "$work"/anywire-*.tgz
for file in README.md LICENSE-MIT LICENSE-APACHE; do
  test -s "node_modules/anywire/$file" || { echo "npm: $file is not in the package"; exit 1; }
done
cat > use.mjs <<'JS'
import Anywire from 'anywire';
import Full from 'anywire/full';
if (Anywire.OPEN !== 1 || Full.CLOSED !== 3) throw new Error('not the class');
// Without a WebSocket it says so.
const socket = new Anywire('ws://127.0.0.1:9/anywire', [], { WebSocket: null, XMLHttpRequest: null });
socket.onclose = ({ reason }) => { if (!/WebSocket/.test(reason)) throw new Error(reason); console.log(`node ${process.version}: ${reason}`); };
JS
node use.mjs
cat > use.cjs <<'JS'
const Anywire = require('anywire');
const Full = require('anywire/full');
if (Anywire.OPEN !== 1 || Full.CLOSED !== 3) throw new Error('not the class');
JS
node use.cjs
cat > use.ts <<'TS'
import Anywire from 'anywire';
import Full from 'anywire/full';
const socket: WebSocket = new Anywire('/anywire');
const full: WebSocket = new Full('/anywire');
socket.onmessage = (event: MessageEvent) => full.send(event.data);
TS
tsc=$root/crates/anywire-browser/js/node_modules/.bin/tsc
for how in "nodenext nodenext" "esnext bundler"; do
  read -r module resolution <<< "$how"
  "$tsc" --noEmit --strict --esModuleInterop --module "$module" --moduleResolution "$resolution" \
    --target es2020 --lib es2020,dom --types '' use.ts
done
# An import that is not used costs nothing.
cat > bundle.mjs <<JS
import { rollup } from '$root/crates/anywire-browser/js/node_modules/rollup/dist/es/rollup.js';
import { readFileSync } from 'node:fs';
const { sideEffects } = JSON.parse(readFileSync('node_modules/anywire/package.json', 'utf8'));
const bundle = await rollup({
  input: 'application',
  plugins: [{
    name: 'application',
    resolveId: (id) => (id === 'application' ? id : { id: process.cwd() + '/node_modules/anywire/dist/anywire.mjs', moduleSideEffects: sideEffects }),
    load: (id) => (id === 'application' ? "import Anywire from 'anywire'; console.log(1);" : null),
  }],
});
const { output: [{ code }] } = await bundle.generate({ format: 'es' });
if (code.length > 100) throw new Error('an unused import weighs ' + code.length + ' bytes');
console.log('an unused import leaves ' + code.length + ' bytes of the whole application');
JS
node bundle.mjs
echo "== all packages can be used"
