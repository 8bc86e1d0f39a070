#!/usr/bin/env bash
# Installs what building and testing need, if it is missing: PostgreSQL with its server headers
# and pg_regress, a C compiler, clang for the bindings; with the argument `build`, what building needs;
# with `drivers`, also what the drivers of `make drivers` need.
# When nothing is missing it changes nothing and takes no time. Rust itself must be there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '%s\n' "setup: $*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

has cargo || fail 'Rust is missing: cargo is not in PATH'
only_builds=$([ "${1:-}" = build ] && echo yes || true)
if [ -z "$only_builds" ]; then
    cargo fmt --version >/dev/null || fail 'cargo fmt is missing: rustup component add rustfmt'
    cargo clippy --version >/dev/null || fail 'cargo clippy is missing: rustup component add clippy'
fi

# Which PostgreSQL: that of make's PG_CONFIG, else the first in PATH, else Debian's 15.
pg_config=${PGRX_PG_CONFIG_PATH:-pg_config}
major() { "$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }
server_is_there() {
    [ -n "$only_builds" ] && return
    has "$pg_config" && [ -x "$("$pg_config" --bindir)/initdb" ] && [ -x "$("$pg_config" --bindir)/postgres" ]
}
headers_are_there() {
    has "$pg_config" && [ -f "$("$pg_config" --includedir-server)/postgres.h" ] || return
    [ -n "$only_builds" ] ||
        [ -x "$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress" ]
}
libclang_is_there() {
    compgen -G "${LIBCLANG_PATH:-/usr/lib/llvm-*/lib}/libclang*.so*" >/dev/null ||
        compgen -G '/usr/lib*/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

packages=()
version=15
if has "$pg_config"; then version=$(major); fi
server_is_there || packages+=("postgresql-$version")
headers_are_there || packages+=("postgresql-server-dev-$version")
has clang && libclang_is_there || packages+=(clang libclang-dev)
has cc || packages+=(gcc libc6-dev)
has pkg-config || packages+=(pkg-config)
if [ "${1:-}" = drivers ]; then
    python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
    has node && has npm || packages+=(nodejs npm)
    has javac || packages+=(default-jdk-headless)
    [ -f /usr/share/java/postgresql.jar ] || packages+=(libpostgresql-jdbc-java)
fi

if [ ${#packages[@]} -gt 0 ]; then
    has apt-get || fail "missing, under Debian's names: ${packages[*]}"
    root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "missing: ${packages[*]}; become root, or install sudo"
        root=(sudo)
    fi
    say "installing ${packages[*]}"
    # The package would make a cluster and start it; the tests make their own.
    no_cluster=/etc/postgresql-common/createcluster.d/pgrx-ext.conf
    "${root[@]}" mkdir -p "$(dirname "$no_cluster")"
    echo 'create_main_cluster = false' | "${root[@]}" tee "$no_cluster" >/dev/null
    trap '"${root[@]}" rm -f "$no_cluster"' EXIT
    "${root[@]}" apt-get update -q
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
    server_is_there || fail "$pg_config has no server beside it"
    headers_are_there || fail "$pg_config has no server headers beside it"
fi
