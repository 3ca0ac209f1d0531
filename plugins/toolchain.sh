#!/bin/sh
# Sees to it that guests can be built. Uses what is there; on Debian it installs the distribution's own compiler and its
# sources with apt-get (root only). It never calls rustup and never changes the ordinary toolchain.
set -eu

target_libs=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null || true)
if [ -n "$target_libs" ] && [ -n "$(ls -A "$target_libs" 2>/dev/null)" ]; then
    exit 0
fi
if dpkg -s rustc-web rust-web-src >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "guest toolchain: installing Debian's rustc-web and rust-web-src, for there is no wasm32-unknown-unknown target" >&2
    if ! apt-cache show rust-web-src >/dev/null 2>&1; then
        apt-get update -q >&2
    fi
    apt-get install -y -q --no-install-recommends rustc-web rust-web-src >&2
    exit 0
fi
cat >&2 <<'END'
guest toolchain: there is no WebAssembly target. One of these gives it:
    rustup target add wasm32-unknown-unknown
    sudo apt-get install --no-install-recommends rustc-web rust-web-src     (Debian)
END
exit 1
