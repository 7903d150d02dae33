# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What the scripts share: sourced, never run. Sets ROOT and goes there.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Packages by purpose. A bare Debian 12 has none of them.
PACKAGES_BUILD="gcc libc6-dev gettext meson ninja-build pkg-config libssl-dev libevent-dev libmicrohttpd-dev
    libgnutls28-dev libsqlite3-dev libgmime-3.0-dev libjansson-dev libcurl4-openssl-dev libunbound-dev libidn2-dev
    libunistring-dev libargon2-dev zlib1g-dev libzstd-dev libseccomp-dev"
PACKAGES_UNIT="libcmocka-dev"
PACKAGES_TEST="python3 python3-pytest python3-pytest-xdist python3-pytest-timeout python3-yaml python3-cryptography openssl sqlite3 swaks isync sieve-connect
    neomutt curl gnutls-bin libnss3-tools testssl.sh sslscan mandoc shellcheck procps
    gpgsm libbcmail-java default-jdk-headless
    libnet-ssleay-perl libio-socket-ssl-perl libauthen-sasl-perl ca-certificates pebble"
PACKAGES_FUZZ="clang llvm libclang-rt-14-dev"

# Installs what is missing of the packages named; says what it does. Without root it says what to ask
# an administrator for.
need_packages() {
    local missing=() package as_root=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo)
        else
            echo "missing packages; as root: apt-get install ${missing[*]}" >&2
            exit 1
        fi
    fi
    echo "installing: ${missing[*]}" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >&2
}

has_tests() {
    python3 - "$1/meson-info/intro-buildoptions.json" <<'PYTHON'
import json, sys
options = {o["name"]: o["value"] for o in json.load(open(sys.argv[1]))}
sys.exit(not options["tests"])
PYTHON
}

# build_in FOLDER [OPTION]...: configures a build folder if it is not, then builds NINJA_TARGETS (all)
# in it. TESTS=false says that the programs will do: a new folder is set up without tests, one that
# has them keeps them.
build_in() {
    local folder=$1 targets=()
    shift
    read -ra targets <<<"${NINJA_TARGETS:-}"
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "-Dtests=${TESTS:-true}" "$@" >"$folder.log" 2>&1 ||
            { cat "$folder.log" >&2; exit 1; }
        mv "$folder.log" "$folder/setup.log"
    elif [ "${TESTS:-true}" = true ] && ! has_tests "$folder"; then
        meson configure "$folder" -Dtests=true
    fi
    ninja -C "$folder" "${targets[@]}"
}
