#!/usr/bin/env bash
# Installs the drivers of `make drivers` in target/drivers, in the versions that are pinned here. When
# nothing is missing it takes no time. What cannot be installed is left out: its row will say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=$PWD/../../target/drivers
mkdir -p "$target"

say() { printf '%s\n' "drivers: $*" >&2; }

# Installs with a command, unless the folder has what the file asks for.
pinned() {
    local folder=$target/$1 file=$2
    cmp -s "$file" "$folder/installed" && return
    say "installing $1"
    rm -rf "$folder"
    mkdir "$folder"
    if "$1" "$folder"; then
        cp "$file" "$folder/installed"
    else
        say "$1: not installed"
        rm -rf "$folder"
    fi
}

python() {
    python3 -m venv "$1" && "$1/bin/pip" install -q --no-deps -r python/requirements.txt
}

node() {
    cp node/package.json node/package-lock.json "$1" && npm ci --silent --no-audit --no-fund --prefix "$1"
}

bash ../support/setup.sh drivers || say 'not all of Debian'"'"'s packages are there'
pinned python python/requirements.txt
pinned node node/package-lock.json
cargo build --quiet --locked --manifest-path rust/Cargo.toml --target-dir "$target/rust" ||
    { say 'rust: not installed'; rm -f "$target"/rust/debug/with_*; }
