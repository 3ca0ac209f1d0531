#!/bin/sh
# The tests of the SDK for JavaScript and of the plugins written with it, types included; `make plugins` installs what they need.
set -eu
cd "$(dirname "$0")/../.."
for folder in sdk/js tenant-js; do
    echo "plugins/$folder"
    (
        cd "$folder"
        ../"$([ "$folder" = sdk/js ] && echo ../)"node_modules/.bin/tsc --noEmit
        node --import @tamis/plugin/typescript --test --test-reporter=dot test/*.test.*
    )
done
