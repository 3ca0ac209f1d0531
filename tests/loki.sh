#!/bin/sh
# Sees to it that the tests of the sink loki have a real server with Loki's API: qryn (npm), with ClickHouse as a library (PyPI) for its
# store, both pinned, below target/tools. About 1 GB, so `make test` does without and says which tests are skipped.
set -eu
cd "$(dirname "$0")/.."

sh tests/venv.sh tests/loki/requirements.txt target/tools/clickhouse "tests of the sink loki"
tools=target/tools/qryn
if ! cmp -s tests/loki/package-lock.json "$tools/installed.json"; then
    echo "tests of the sink loki: installing qryn into $tools" >&2
    mkdir -p "$tools"
    cp tests/loki/package.json tests/loki/package-lock.json "$tools/"
    (cd "$tools" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error >&2)
    cp tests/loki/package-lock.json "$tools/installed.json"
fi
