#!/bin/sh
# Sees to it that the tests of network protocols have real servers and clients, pinned, in a virtual environment of its own below
# target/tools/servers. Nothing is installed elsewhere. Without them those tests are skipped and say so.
set -eu
cd "$(dirname "$0")/.."

sh tests/wire.sh

# TLS in front of a broker of Kafka. No service is started: it is configured for none.
if ! command -v stunnel >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "tests: installing Debian's stunnel4" >&2
        if ! apt-cache show stunnel4 >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        apt-get install -y -q --no-install-recommends stunnel4 >&2 || true
    fi
fi

# Without them those tests say that they are skipped.
sh tests/venv.sh tests/servers.txt target/tools/servers "tests of network protocols" || true

# Large, or long to build: for the long form only.
if [ "${NETWORK-}" = long ]; then
    sh tests/broker.sh || echo "tests of Kafka's SASL: the broker cannot be built, so they are skipped" >&2
    sh tests/loki.sh || echo "tests of the sink loki: its server cannot be had, so they are skipped" >&2
fi
