#!/bin/sh
# Makes a virtual environment with the packages of a pinned list, unless it is there: venv.sh LIST FOLDER WHAT. Nothing is installed elsewhere,
# but on Debian python3-venv where it is missing (root only). Without a success the folder is gone and the exit code is 1.
set -eu
list=$1
folder=$2
what=$3

if [ -f "$folder/installed.txt" ] && cmp -s "$list" "$folder/installed.txt"; then
    exit 0
fi
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "$what: installing Debian's python3-venv" >&2
        if ! apt-cache show python3-venv >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        apt-get install -y -q --no-install-recommends python3-venv >&2
    fi
fi
echo "$what: installing what $list names into $folder" >&2
rm -rf "$folder"
if python3 -m venv "$folder" && "$folder/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: -r "$list" >&2; then
    cp "$list" "$folder/installed.txt"
else
    echo "$what: they cannot be had: Python 3.11 with venv, and access to PyPI, are needed" >&2
    rm -rf "$folder"
    exit 1
fi
