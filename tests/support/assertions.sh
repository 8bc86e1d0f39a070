#!/usr/bin/env bash
# Builds PostgreSQL with assertions in a folder, once, from the sources of Debian's package, and prints
# the path of its pg_config. With PGRX_PG_CONFIG_PATH set to that, the test binaries run against it:
#
#     cargo test --no-default-features --features pg15 --test regress --no-run
#     PGRX_PG_CONFIG_PATH=$(tests/support/assertions.sh 15) target/debug/deps/regress-…
#
# The library needs no other build for it. With PGOPTIONS='-c debug_discard_caches=1' besides, which
# takes minutes, each look-up is forgotten as soon as it can be. It has no libxml: trigger_types.sql
# says so.
set -euo pipefail

major=${1:-15}
folder=${2:-${TMPDIR:-/tmp}/postgresql-$major-assertions}
pg_config=$folder/installed/bin/pg_config
if [ ! -x "$pg_config" ]; then
    {
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
        ./configure -q --prefix="$folder/installed" --enable-cassert \
            --without-readline --without-zlib --without-icu CFLAGS='-O1 -g1'
        make -s -j"$(nproc)" install
        make -s -C src/test/regress install
    } >&2
fi
echo "$pg_config"
