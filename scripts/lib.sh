# SPDX-License-Identifier: Apache-2.0
# What the scripts share: sourced, never run. Sets ROOT and goes there.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Packages by purpose. A bare Debian 12 has none of them.
PACKAGES_BUILD="gcc libc6-dev meson ninja-build pkg-config libssl-dev libevent-dev libmicrohttpd-dev
    libsqlite3-dev libgmime-3.0-dev libjansson-dev libcurl4-openssl-dev libunbound-dev libidn2-dev
    libunistring-dev libargon2-dev zlib1g-dev libzstd-dev libseccomp-dev libcmocka-dev"
PACKAGES_TEST="python3 python3-pytest python3-yaml python3-cryptography openssl sqlite3 swaks isync
    neomutt curl gnutls-bin mandoc procps libnet-ssleay-perl libio-socket-ssl-perl
    libauthen-sasl-perl ca-certificates"
PACKAGES_FUZZ="clang llvm libclang-rt-14-dev"

# Installs what is missing of the packages named; says what it does. Without root it says what to ask
# an administrator for.
need_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            local as_root="sudo"
        else
            echo "missing packages; as root: apt-get install ${missing[*]}" >&2
            exit 1
        fi
    fi
    echo "installing: ${missing[*]}" >&2
    ${as_root:-} env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    ${as_root:-} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >&2
}

# Configures a build folder if it is not, then builds it.
build_in() {
    local folder=$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$@" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
        mv "$folder.log" "$folder/setup.log"
    fi
    ninja -C "$folder" ${NINJA_TARGETS:-}
}
