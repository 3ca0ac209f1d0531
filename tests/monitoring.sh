#!/bin/sh
# Sees to it that the tests of the dashboard and the alert rules have a real Prometheus and promtool: those of the system, or
# Debian's package unpacked in target/tools/prometheus (2.40 or newer). Nothing is installed and no service is started. Where
# neither can be had, those tests are skipped and say so.
set -eu
cd "$(dirname "$0")/.."

tools=$PWD/target/tools/prometheus
PATH=$tools/usr/bin:$PATH
recent() {
    command -v prometheus >/dev/null && command -v promtool >/dev/null || return 1
    version=$(promtool --version 2>&1 | sed -n 's/^promtool, version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086
    set -- $version
    [ "${1:-0}" -gt 2 ] || { [ "${1:-0}" -eq 2 ] && [ "${2:-0}" -ge 40 ]; }
}
if recent; then
    exit 0
fi
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    echo "tests: unpacking prometheus in target/tools, which the tests of the alert rules use" >&2
    rm -rf "$tools"
    mkdir -p "$tools"
    (cd "$tools" && apt-get download -q prometheus >&2) ||
        { [ "$(id -u)" = 0 ] && apt-get update -q >&2 && cd "$tools" && apt-get download -q prometheus >&2; } || true
    for package in "$tools"/prometheus_*.deb; do
        if [ -f "$package" ]; then
            dpkg-deb -x "$package" "$tools"
            rm "$package"
        fi
    done
    if recent; then
        exit 0
    fi
fi
echo "tests: there is no Prometheus of 2.40 or newer, so tests of the alert rules are skipped" >&2
