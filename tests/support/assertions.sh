#!/usr/bin/env bash
# Builds PostgreSQL with assertions in a folder, once, from the sources of Debian's package, and prints
# the path of its pg_config. `make test-asserts` runs the tests against it: the library needs no other
# build.
set -euo pipefail

major=${1:-15}
folder=${2:-${TMPDIR:-/tmp}/postgresql-$major-assertions}
pg_config=$folder/installed/bin/pg_config
if [ ! -x "$pg_config" ]; then
    {
        packages=()
        for package in libxml2-dev bzip2 perl make; do
            dpkg -s "$package" >/dev/null 2>&1 || packages+=("$package")
        done
        if [ ${#packages[@]} -gt 0 ]; then
            root=()
            [ "$(id -u)" -eq 0 ] || root=(sudo)
            "${root[@]}" apt-get update -q
            "${root[@]}" apt-get install -y -q --no-install-recommends "${packages[@]}"
        fi
        mkdir -p "$folder"/{parts,lists/partial,cache/archives/partial}
        cd "$folder"
        # Sources are added to the lists of this folder alone.
        for list in /etc/apt/sources.list.d/*.sources; do
            sed 's/^Types:.*/Types: deb-src/' "$list" >"parts/$(basename "$list")"
        done
        apt=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$folder/parts"
            -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache")
        apt-get "${apt[@]}" update -q
        # The newest one may have left the mirror.
        for version in $(apt-cache "${apt[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rV); do
            apt-get "${apt[@]}" source -q --download-only "postgresql-$major=$version" && break
        done
        tar xf postgresql-"$major"_*.orig.tar.*
        cd "postgresql-$major".*/
        ./configure -q --prefix="$folder/installed" --enable-cassert --with-libxml \
            --without-readline --without-zlib --without-icu CFLAGS='-O1 -g1'
        make -s -j"$(nproc)" install
        make -s -C src/test/regress install
    } >&2
fi
echo "$pg_config"
