#!/bin/sh
# Sees to it that librdkafka can be built, which the feature `kafka` compiles from source: a C and a C++ compiler, make, and the headers of
# OpenSSL and zlib with pkg-config to find them. On Debian they are installed with apt-get (root only).
set -eu

wanted=
need() {
    wanted="$wanted $1"
}
command -v make >/dev/null || need make
command -v cc >/dev/null || need gcc
command -v c++ >/dev/null || need g++
if command -v pkg-config >/dev/null; then
    pkg-config --exists openssl || need libssl-dev
    pkg-config --exists zlib || need zlib1g-dev
else
    need pkg-config
    [ -f /usr/include/openssl/ssl.h ] || need libssl-dev
    [ -f /usr/include/zlib.h ] || need zlib1g-dev
fi
if [ -z "$wanted" ]; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "libraries of Kafka: installing Debian's$wanted" >&2
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $wanted >&2 || { apt-get update -q >&2 && apt-get install -y -q --no-install-recommends $wanted >&2; }
    exit 0
fi
cat >&2 <<END
libraries of Kafka: missing:$wanted. One of these helps:
    sudo apt-get install --no-install-recommends$wanted     (Debian)
    cargo build --release --locked -p tamis-cli --no-default-features --features nats,otlp     (without Kafka)
END
exit 1
