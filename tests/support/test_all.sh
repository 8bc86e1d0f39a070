#!/usr/bin/env bash
# Runs the tests that need a PostgreSQL on each version, 15 to 18 or those given, one after the other, and
# ends with a table: what passed, and where each server is from. A version whose server cannot be had is
# "not run"; that alone is no failure, unless no version ran.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -gt 0 ] || set -- 15 16 17 18
target=${CARGO_TARGET_DIR:-$PWD/target}
table='PostgreSQL|result|tests passed|minutes|server'
ran=0
failed=0
for major; do
    if ! server=$(bash tests/support/server.sh "$major"); then
        table+=$'\n'"$major|not run|-|-|none could be had"
        continue
    fi
    read -r pg_config origin <<<"$server"
    # Bindings are generated for each version: a target folder of its own keeps them.
    folder=$target/pg$major
    mkdir -p "$folder"
    export PG_CONFIG=$pg_config PGRX_PG_CONFIG_PATH=$pg_config CARGO_TARGET_DIR=$folder
    echo "== PostgreSQL $major: $origin"
    start=$SECONDS
    result=passed
    cargo test --locked --no-default-features --features "pg$major" --test regress --test cluster \
        --no-fail-fast 2>&1 | tee "$folder/test.log" || result=FAILED
    [ $result = passed ] || failed=$((failed + 1))
    ran=$((ran + 1))
    tests=$(awk '/^test result: / { passed += $4; failed += $6 } END { print passed + 0, "of", passed + failed }' "$folder/test.log")
    version=$("$pg_config" --version | awk '{ print $2 }')
    table+=$'\n'"$version|$result|$tests|$(((SECONDS - start) / 60 + 1))|$origin"
done
echo
column -t -s '|' <<<"$table"
[ $ran -gt 0 ] && [ $failed -eq 0 ]
