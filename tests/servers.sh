#!/bin/sh
# Sees to it that the tests of network protocols have real servers and clients, pinned, in a virtual environment of its own below
# target/tools/servers. Nothing is installed elsewhere. Without them those tests are skipped and say so.
set -eu
cd "$(dirname "$0")/.."

sh tests/wire.sh

folder=target/tools/servers
list=tests/servers.txt

if [ -f "$folder/installed.txt" ] && cmp -s "$list" "$folder/installed.txt"; then
    exit 0
fi
if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "tests: installing Debian's python3-venv" >&2
        if ! apt-cache show python3-venv >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        apt-get install -y -q --no-install-recommends python3-venv >&2
    fi
fi
echo "tests: installing servers and clients of network protocols into $folder" >&2
rm -rf "$folder"
if python3 -m venv "$folder" && "$folder/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: -r "$list" >&2; then
    cp "$list" "$folder/installed.txt"
else
    echo "tests: the servers cannot be had, so tests of network protocols are skipped" >&2
    rm -rf "$folder"
fi
