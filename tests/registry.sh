#!/bin/sh
# Sees to it that the tests of registries and signatures have a real registry, a second client and a second signer. On Debian it
# installs docker-registry, skopeo and minisign with apt-get (root only); without them those tests are skipped and say so.
set -eu

missing=
for tool in docker-registry skopeo minisign; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -z "$missing" ]; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "tests: installing$missing, which the tests of registries and signatures use" >&2
    if ! apt-cache show docker-registry >/dev/null 2>&1; then
        apt-get update -q >&2
    fi
    # The names of the packages are those of the programs.
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $missing >&2 && exit 0
fi
echo "tests: there is no$missing, so tests of registries and signatures are skipped" >&2
