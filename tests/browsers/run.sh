#!/bin/sh
# run.sh ENGINE URL SECONDS DIRECTORY: opens the address in an engine and stays until it is killed or the time is over.
# The engine writes into the directory only. `install.sh` gets the engines; the names are in its last case.
#
# Some engines leave daemons behind. So each runs in a PID namespace of its own, which ends with this process; where
# none can be had, those that need one do not run, and this ends with 3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
got=$here/../../target/engines
engine=$1 url=$2 seconds=$3 directory=$4

if [ -z "${ANYWIRE_CONTAINED:-}" ]; then
    # Killed, whoever has started this ends it too, and thereby all in the namespace.
    namespace="setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc"
    [ "$(id -u)" = 0 ] || namespace="$namespace --user --map-root-user"
    if $namespace true 2>/dev/null; then
        ANYWIRE_CONTAINED=yes exec $namespace "$0" "$@"
    fi
    case $engine in
    khtml | jscript | webkitgtk)
        echo "$engine needs a PID namespace: run as root, or allow user namespaces" >&2
        exit 3
        ;;
    esac
    export ANYWIRE_CONTAINED=no
fi

chmod 700 "$directory"
export HOME="$directory" TMPDIR="$directory" XDG_RUNTIME_DIR="$directory" XDG_CACHE_HOME="$directory/cache"
export LANG=C.UTF-8
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
limit="timeout --kill-after 2 $seconds"

case $engine in
chromium)
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [ -z "$name" ] || ! command -v "$name" >/dev/null || break
    done
    exec $limit "$name" --headless --no-sandbox --disable-gpu --no-first-run --disable-breakpad \
        --disable-dev-shm-usage --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$directory/profile" "$url"
    ;;
firefox)
    mkdir "$directory/profile"
    # No pages of its own, and no words with anybody but the test.
    cat >"$directory/profile/user.js" <<'PREFS'
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.policy.firstRunURL", "");
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
PREFS
    exec $limit firefox-esr --headless --no-remote --profile "$directory/profile" "$url"
    ;;
webkitgtk)
    export WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1 WEBKIT_DISABLE_COMPOSITING_MODE=1 LIBGL_ALWAYS_SOFTWARE=1
    exec $limit xvfb-run -a dbus-run-session -- /usr/lib/*/webkit2gtk-4.1/MiniBrowser --private "$url"
    ;;
qtwebkit | qtwebkit-without-websocket)
    # Debian's own Python, for which its package is built.
    QT_QPA_PLATFORM=offscreen exec $limit /usr/bin/python3 "$here/engines/qtwebkit.py" "$url" "$engine"
    ;;
chromium-49 | chromium-65)
    # Their `offscreen` platform crashes.
    export PYTHONPATH="$got/$engine" QT_QPA_PLATFORM=xcb QTWEBENGINE_DISABLE_SANDBOX=1
    exec $limit xvfb-run -a python3 "$here/engines/qtwebengine.py" "$url"
    ;;
phantomjs-1.9)
    OPENSSL_CONF=/dev/null LD_PRELOAD="$got/phantomjs-1.9/nossl.so" \
        exec $limit "$got/phantomjs-1.9/phantomjs" "$here/engines/phantom.js" "$url"
    ;;
phantomjs-2.1)
    OPENSSL_CONF=/dev/null exec $limit "$got/phantomjs-2.1/phantomjs" "$here/engines/phantom.js" "$url"
    ;;
khtml)
    QT_QPA_PLATFORM=offscreen exec $limit dbus-run-session -- "$got/khtml/khtml" "$url" </dev/null
    ;;
htmlunit-ie6 | htmlunit-ie7 | htmlunit-ie8 | htmlunit-ie9 | htmlunit-ie11)
    jar=htmlunit-2.12
    [ "$engine" != htmlunit-ie11 ] || jar=htmlunit-2.15
    exec $limit java -cp "$got/$jar/htmlunit.jar:$got/$jar" HtmlUnit "$url" "INTERNET_EXPLORER_${engine#htmlunit-ie}"
    ;;
jscript)
    export WINEPREFIX="$got/wine" WINEDEBUG=-all WINEDLLOVERRIDES=mscoree=
    # An argument that begins with a slash would be a switch.
    cd "$here/engines"
    exec $limit wine cscript //nologo jscript.js "$url"
    ;;
*)
    echo "no engine is called $engine" >&2
    exit 2
    ;;
esac
