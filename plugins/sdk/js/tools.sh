#!/bin/sh
# Installs what builds and tests plugins in JavaScript, as the lockfile pins it, into target/tools/js, and links it where the
# project's plugins find it (plugins/node_modules). Nothing is installed globally, and no package's own scripts run.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
pinned=$root/plugins/sdk/js/tools
tools=$root/target/tools/js

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "plugins in JavaScript: expected node 20.6 or later and npm in PATH (Debian: apt-get install nodejs npm)" >&2
    exit 1
fi
if ! cmp -s "$pinned/package-lock.json" "$tools/installed.json"; then
    echo "plugins in JavaScript: installing esbuild, componentize-qjs and typescript into target/tools/js" >&2
    mkdir -p "$tools"
    cp "$pinned/package.json" "$pinned/package-lock.json" "$pinned/.npmrc" "$tools/"
    # Not `npm ci`: it refuses a lockfile without the bindings of platforms for which componentize-qjs has published none.
    (cd "$tools" && npm install --no-audit --no-fund --loglevel=error >&2)
    cp "$pinned/package-lock.json" "$tools/installed.json"
fi
modules=$root/plugins/node_modules
mkdir -p "$modules/@tamis"
ln -sfn ../../sdk/js "$modules/@tamis/plugin"
ln -sfn ../../plugins/node_modules "$root/tests/guests/node_modules"
for name in .bin @types componentize-qjs esbuild typescript; do
    ln -sfn "../../target/tools/js/node_modules/$name" "$modules/$name"
done
