#!/bin/sh
# Sees to it that the chart can be checked: Helm's library, the schemas of Kubernetes and hadolint, pinned, in a virtual environment of
# their own below target/tools/deploy. With `image`, buildah too, from Debian (root only), which the image is packed with.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = image ]; then
    if ! command -v buildah >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "image: installing Debian's buildah" >&2
        if ! apt-cache show buildah >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        # uidmap is for users without root.
        apt-get install -y -q --no-install-recommends buildah uidmap >&2 || true
    fi
    exit 0
fi

exec sh tests/venv.sh deploy/tools.txt target/tools/deploy chart
