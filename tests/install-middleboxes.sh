#!/bin/sh
# Makes sure that nginx (with ModSecurity and its core rules), HAProxy and Squid are there: installs Debian's as root, else says what to install, and fails.
set -eu
PATH="$PATH:/usr/sbin"
missing=""
for program in nginx haproxy squid; do
    if ! command -v "$program" >/dev/null 2>&1; then
        [ "$program" = nginx ] && package=nginx-light || package=$program
        missing="$missing $package"
    fi
done
[ -e /usr/lib/nginx/modules/ngx_http_modsecurity_module.so ] || missing="$missing libnginx-mod-http-modsecurity"
[ -d /usr/share/modsecurity-crs/rules ] || missing="$missing modsecurity-crs"
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "the tests behind real middleboxes need more: run \`apt-get install --no-install-recommends$missing\` as root" >&2
    exit 1
fi
echo "installing$missing for the tests behind real middleboxes"
# The packages would start daemons on ports 80 and 3128. Asked by their scripts, this forbids it.
policy=/usr/sbin/policy-rc.d
[ ! -e "$policy" ] || mv "$policy" "$policy.kept"
trap 'rm -f "$policy"; [ ! -e "$policy.kept" ] || mv "$policy.kept" "$policy"' EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
apt-get update -qq
# shellcheck disable=SC2086 # One word for each package.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
