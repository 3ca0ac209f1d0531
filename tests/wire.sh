#!/bin/sh
# Sees to it that the tests of syslog, fluent, beats and http have real senders: rsyslog with TLS and RELP from Debian (as root; no service
# is started), syslog-ng from Debian below target/tools/syslog-ng, and clients in JavaScript, pinned, below target/tools/wire. Without them
# those tests are skipped and say so.
set -eu
cd "$(dirname "$0")/.."

modules=/usr/lib/"$(uname -m)"-linux-gnu/rsyslog
if ! command -v rsyslogd >/dev/null || ! [ -e "$modules/lmnsd_gtls.so" ] || ! [ -e "$modules/omrelp.so" ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "tests: installing Debian's rsyslog, rsyslog-gnutls and rsyslog-relp" >&2
        if ! apt-cache show rsyslog-gnutls rsyslog-relp >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        # A policy that forbids it keeps the package from starting its service.
        policy=/usr/sbin/policy-rc.d
        if ! [ -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy"
            trap 'rm -f "$policy"' EXIT
        fi
        apt-get install -y -q --no-install-recommends rsyslog rsyslog-gnutls rsyslog-relp >&2 || true
    fi
fi

# Debian lets syslog-ng and rsyslog stand on no machine together, so this one is unpacked and not installed. Its libraries are.
tools=target/tools/syslog-ng
if ! [ -x "$tools/usr/sbin/syslog-ng" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "tests: unpacking Debian's syslog-ng into $tools" >&2
    mkdir -p "$tools.packages"
    if apt-get install -y -q --no-install-recommends libivykis0 libnet1 libpcre3 libjson-c5 libwrap0 libcap2 libcurl4 libglib2.0-0 >&2 \
        && (cd "$tools.packages" && apt-get download -q -o APT::Sandbox::User=root syslog-ng-core syslog-ng-mod-http >&2); then
        for package in "$tools.packages"/*.deb; do
            dpkg -x "$package" "$tools"
        done
    else
        echo "tests: syslog-ng cannot be had, so tests with it are skipped" >&2
    fi
    rm -rf "$tools.packages"
fi

tools=target/tools/wire
if command -v npm >/dev/null && ! cmp -s tests/wire/package-lock.json "$tools/installed.json"; then
    echo "tests: installing clients in JavaScript into $tools" >&2
    mkdir -p "$tools"
    cp tests/wire/package.json tests/wire/package-lock.json "$tools/"
    if (cd "$tools" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2); then
        cp tests/wire/package-lock.json "$tools/installed.json"
    else
        echo "tests: the clients cannot be had, so tests with them are skipped" >&2
    fi
fi
