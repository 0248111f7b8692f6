#!/bin/sh
# Makes sure that Redis and its sentinel are there: installs Debian's as root, else says what to install, and fails.
set -eu
missing=""
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v redis-sentinel >/dev/null 2>&1 || missing="$missing redis-sentinel"
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "the tests of several nodes need Redis: run \`apt-get install --no-install-recommends$missing\` as root" >&2
    exit 1
fi
echo "installing$missing for the tests of several nodes"
# The packages would start daemons on ports 6379 and 26379. Asked by their scripts, this forbids it.
policy=/usr/sbin/policy-rc.d
[ ! -e "$policy" ] || mv "$policy" "$policy.kept"
trap 'rm -f "$policy"; [ ! -e "$policy.kept" ] || mv "$policy.kept" "$policy"' EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
apt-get update -qq
# shellcheck disable=SC2086 # One word for each package.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
