#!/bin/sh
# Sees to it that the tests of network protocols have real servers and clients, pinned, in a virtual environment of its own below
# target/tools/servers. Nothing is installed elsewhere. Without them those tests are skipped and say so.
set -eu
cd "$(dirname "$0")/.."

sh tests/wire.sh

# Without them those tests say that they are skipped.
sh tests/venv.sh tests/servers.txt target/tools/servers "tests of network protocols" || true
