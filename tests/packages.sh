#!/usr/bin/env bash
# Packs every crate and the npm package, and uses what was packed where there is no workspace around it: the crates by
# their doc tests and a server (`packages/server.rs`), the npm package by an application that talks to that server
# (`packages/application`, whose package.json names the tools that npm installs for it).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
export CARGO_TARGET_DIR=${ANYWIRE_PACKAGES_TARGET:-$root/target/packages}
crates=(anywire-protocol anywire-core anywire-websocket anywire-polling anywire-browser anywire-cluster anywire anywire-client)

echo "== crates: packed to $work"
cd "$root"
packages=()
for crate in "${crates[@]}"; do packages+=(-p "$crate"); done
cargo package --quiet --allow-dirty --no-verify --target-dir "$work/packed" "${packages[@]}" 2>&1 \
  | grep -v 'no documentation, homepage or repository\|^ *|$\|see https\|^$\|ignoring test' || true
mkdir -p "$work/crates/echo"
for crate in "${crates[@]}"; do
  # With the times of now (-m): the files of every package have the same old one, so cargo would not see what changed since
  # an earlier run.
  tar -xmzf "$work"/packed/package/"$crate"-[0-9]*.crate -C "$work/crates"
  mv "$work"/crates/"$crate"-[0-9]* "$work/crates/$crate"
  for file in README.md LICENSE-MIT LICENSE-APACHE; do
    test -s "$work/crates/$crate/$file" || { echo "$crate: $file is not in the package"; exit 1; }
  done
done
cp Cargo.lock "$work/crates/"
{
  echo '[workspace]'
  echo 'resolver = "3"'
  echo 'members = ["anywire*", "echo"]'
  echo '[patch.crates-io]'
  for crate in "${crates[@]}"; do echo "$crate = { path = \"$crate\" }"; done
} > "$work/crates/Cargo.toml"
cp "$root/tests/packages/server.rs" "$work/crates/echo/main.rs"
cat > "$work/crates/echo/Cargo.toml" <<'TOML'
[package]
name = "echo"
edition = "2024"

[[bin]]
name = "echo"
path = "main.rs"

[dependencies]
anywire = "0.1"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
TOML
cd "$work/crates"
cargo test --quiet --doc --all-features
cargo check --quiet -p anywire --no-default-features --features tower
cargo build --quiet -p echo

echo "== npm package"
cd "$root/crates/anywire-browser/js"
npm pack --silent --pack-destination "$work" > /dev/null
archive=$(echo "$work"/anywire-*.tgz)
cp -r "$root/tests/packages/application" "$work/application"
cd "$work/application"
npm install --silent --no-audit --no-fund "$archive"
for file in README.md LICENSE-MIT LICENSE-APACHE; do
  test -s "node_modules/anywire/$file" || { echo "npm: $file is not in the package"; exit 1; }
done

# Runs a tool, and shows what it prints only when it fails.
quietly() { "$@" > "$work/printed" 2>&1 || { cat "$work/printed"; exit 1; }; }
PATH=$PWD/node_modules/.bin:$PATH

# Whatever publint or attw report is a failure. With suggestions alone publint exits with 0, but without its last line.
quietly publint run --strict "$archive"
grep -q 'All good!' "$work/printed" || { cat "$work/printed"; exit 1; }
echo "publint: nothing to report"
quietly attw --no-color "$archive"
echo "attw: the types resolve under node10, node16 and bundlers"
for how in "nodenext nodenext" "esnext bundler"; do
  read -r module resolution <<< "$how"
  tsc --noEmit --strict --esModuleInterop --module "$module" --moduleResolution "$resolution" \
    --target es2020 --lib es2020,dom --types '' use.ts
done
echo "TypeScript: an Anywire goes where a WebSocket is wanted"

node use.cjs
node use.mjs
node build.mjs

mkfifo "$work/address"
"$CARGO_TARGET_DIR/debug/echo" > "$work/address" &
server=$!
read -r SERVER < "$work/address"
export SERVER
# Node 20 has a WebSocket only when asked.
node $(node -p 'globalThis.WebSocket ? "" : "--experimental-websocket"') websocket.mjs
NO_COLOR=1 quietly vitest run
echo "Vitest with jsdom: $(grep -o 'Tests .*' "$work/printed" | tr -s ' ')"
echo "== all packages can be used"
