# `make help` lists the targets. `make check test` is the whole gate.

JS := crates/anywire-browser/js

.PHONY: help run check surface test unit sockets hosts deps e2e dropin matrix cluster crowd floods soak browsers packages bench fuzz middleboxes redis browser browser-tools

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## run the chat example and print the address to open
	cargo run --release --example chat

check: browser-tools ## format, lints, docs and the gates of the browser client
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	cargo clippy -p anywire --no-default-features --features tower -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
	cargo test -p anywire-tests --test surface
	cd $(JS) && npm run --silent check

surface: ## write the listings of the public surface anew
	ANYWIRE_UPDATE_SURFACE=1 cargo test -p anywire-tests --test surface

test: deps unit sockets e2e dropin ## all tests, the cheapest first: unit, sockets, hosts, middleboxes, six browser engines, libraries
	cargo test -p anywire-tests --test browsers

unit: browser-tools ## the tests that need neither a browser nor root: rules, codecs, simulations, vectors
	cargo test --workspace --all-features --exclude anywire-compare --exclude anywire-fault-proxy --exclude anywire-tests
	cargo test -p anywire-tests --test architecture --test simulation --test vectors
	cargo test -p anywire-tests --doc
	cd $(JS) && npm test --silent

# What a host can influence runs under those that are not our own loop too; `make hosts` runs all.
HOST_TESTS := clauses closes events gate hosts jsonp lifecycle messages proxies streams visitors
# What another node passes on besides.
EDGE_TESTS := attachments leaves parts renewals

# Most of these tests wait most of the time.
SOCKETS := RUST_TEST_THREADS=5

sockets: middleboxes redis ## the server and the Rust client over real sockets, under each host
	cargo test -p anywire-fault-proxy -p anywire-compare -p anywire-tests --lib --examples
	$(SOCKETS) cargo test -p anywire-tests --test integration
	@for host in warp axum hyper; do \
		echo "== under $$host"; \
		ANYWIRE_HOST=$$host $(SOCKETS) cargo test -p anywire-tests --test integration -- $(HOST_TESTS) || exit 1; \
	done
	@echo "== under edge"
	ANYWIRE_HOST=edge $(SOCKETS) cargo test -p anywire-tests --test integration -- $(HOST_TESTS) $(EDGE_TESTS)

hosts: middleboxes redis ## all tests over sockets under all hosts: our loop, warp::serve, axum, bare hyper, another node of a cluster
	@for host in anywire warp axum hyper edge; do \
		echo "== under $$host"; \
		ANYWIRE_HOST=$$host cargo test -p anywire-tests --test integration || exit 1; \
	done

packages: browser-tools ## pack the crates and the npm package, and use what was packed where there is no workspace
	tests/packages.sh

deps: browser-tools middleboxes redis ## install what the tests need, where that is possible; it says what it does
	tests/e2e/install-chromium.sh

e2e: middleboxes redis ## the browser client in headless Chromium, installed if missing and possible
	tests/e2e/install-chromium.sh
	cargo build -p anywire-examples -p anywire-compare --examples
	cargo test -p anywire-tests --test e2e -- --test-threads 2
	cargo test -p anywire-tests --bin anywire-nemesis
	cargo build -p anywire-tests --bin anywire-nemesis
	bash -c 'ulimit -n "$$(ulimit -Hn)" && exec target/debug/anywire-nemesis trial 40 deploy 1000'
	cargo build -p anywire-tests --bin anywire-crowd
	target/debug/anywire-crowd 200 2

dropin: browser-tools ## three libraries that take a WebSocket, handed Anywire instead, over every transport
	tests/e2e/install-chromium.sh
	@cd tests/dropin && (test node_modules -nt package-lock.json || npm ci --no-audit --no-fund) && npm run --silent build && npm run --silent check-types
	cargo test -p anywire-tests --test dropin -- --test-threads 2

middleboxes:
	tests/install-middleboxes.sh

redis:
	tests/install-redis.sh

matrix: middleboxes ## every bad network × both clients × every workload, as a table; MATRIX="--only silent" for some
	tests/e2e/install-chromium.sh
	cargo build --release -p anywire-tests --bin anywire-matrix
	target/release/anywire-matrix $(MATRIX)

cluster: middleboxes redis ## ten minutes of kills, cuts and restarts against three nodes, then a rolling restart; CLUSTER="trial 60" for some
	tests/e2e/install-chromium.sh
	cargo build --release -p anywire-tests --bin anywire-nemesis
	bash -c 'ulimit -n "$$(ulimit -Hn)" && exec target/release/anywire-nemesis $(CLUSTER)'

crowd: browser-tools ## a thousand clients of both kinds lose their server for 2 s, then for 20 s, and come back evenly
	cargo build --release -p anywire-tests --bin anywire-crowd
	bash -c 'ulimit -n "$$(ulimit -Hn)" && exec target/release/anywire-crowd 1000 2 20'

floods: middleboxes ## what floods cost those who behave, beside a control; FLOODS="pings" for one
	cargo build --release -p anywire-tests --bin anywire-floods
	bash -c 'ulimit -n "$$(ulimit -Hn)" && exec target/release/anywire-floods $(FLOODS)'

soak: ## both clients for ten minutes on a network that changes its mood; SOAK="2 7" for two, with seed 7
	tests/e2e/install-chromium.sh
	cargo build --release -p anywire-tests --bin anywire-soak
	target/release/anywire-soak $(SOAK)

browsers: ## the acceptance page in sixteen browser engines, installed if missing and possible; writes the table of docs/browsers.md
	cargo test -p anywire-tests --test browsers -- --all

bench: redis ## server CPU per message and bytes per session, beside warp::ws(); and what a second node costs
	cargo build --release -p anywire-tests --bin anywire-bench
	bash -c 'ulimit -n "$$(ulimit -Hn)" && exec target/release/anywire-bench'

fuzz: ## a million generated inputs through every decoder; ANYWIRE_FUZZ_CASES for more
	PROPTEST_CASES=$${ANYWIRE_FUZZ_CASES:-1000000} cargo test --release -p anywire-protocol --test decoders
	ANYWIRE_SCHEDULES=$${ANYWIRE_FUZZ_SCHEDULES:-200000} cargo test --release -p anywire-protocol --test schedules -- --nocapture

browser: browser-tools ## build the browser client
	cd $(JS) && npm run --silent build

browser-tools:
	@test -d $(JS)/node_modules -a $(JS)/node_modules -nt $(JS)/package-lock.json || (cd $(JS) && npm ci --no-audit --no-fund)
