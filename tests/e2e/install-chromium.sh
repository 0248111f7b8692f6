#!/bin/sh
# Makes sure that there is a Chromium: installs Debian's as root, else says what to install, and fails.
set -eu
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing Chromium for the end-to-end tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
    exit 0
fi
echo "the end-to-end tests need Chromium: run \`apt-get install chromium\` as root, or set CHROMIUM to a browser" >&2
exit 1
