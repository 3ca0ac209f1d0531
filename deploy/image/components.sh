#!/bin/sh
# Copies the components of the reference plugins: components.sh FOLDER-OF-COMPONENTS INTO
# Not the examples in JavaScript and Python: they do what `tenant` does, at twenty times the size.
set -eu
umask 022

if [ $# -ne 2 ]; then
    echo "usage: components.sh FOLDER-OF-COMPONENTS INTO" >&2
    exit 2
fi
from=$1
into=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$into"
mkdir -p "$into"
for manifest in "$source"/plugins/*/Cargo.toml; do
    folder=${manifest%/Cargo.toml}
    name=${folder##*/}
    if [ -f "$from/$name.wasm" ]; then
        cp "$from/$name.wasm" "$into/$name.wasm"
        chmod 644 "$into/$name.wasm"
    fi
done
if [ -z "$(ls -A "$into")" ]; then
    echo "image: $from holds no reference plugin; \`make plugins\` builds them" >&2
    exit 1
fi
