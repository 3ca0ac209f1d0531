#!/bin/sh
# Sees to it that the tests of power loss can record a process. On Debian it installs strace with apt-get (root only);
# without it those tests are skipped and say so.
set -eu

if command -v strace >/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "tests: installing strace, which records what a process does to its files" >&2
    if ! apt-cache show strace >/dev/null 2>&1; then
        apt-get update -q >&2
    fi
    apt-get install -y -q --no-install-recommends strace >&2 && exit 0
fi
echo "tests: there is no strace, so the tests of power loss are skipped" >&2
