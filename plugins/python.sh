#!/bin/sh
# Sees to it that plugins in Python can be built: componentize-py, pinned, in a virtual environment of its own below target/;
# with `mypy` as argument that their types can be checked.
# Nothing is installed elsewhere, but on Debian python3-venv where it is missing (root only).
set -eu
cd "$(dirname "$0")/.."

version=0.25.1
mypy=1.18.2
folder=target/tools/python

install() {
    echo "plugins in Python: installing $1 into $folder" >&2
    "$folder/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: "$1" >&2
}

if "$folder/bin/componentize-py" --version 2>/dev/null | grep -qxF "componentize-py $version"; then
    if [ "${1:-}" = mypy ] && ! "$folder/bin/mypy" --version 2>/dev/null | grep -q "^mypy $mypy "; then
        install "mypy==$mypy"
    fi
    exit 0
fi
if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "plugins in Python: installing Debian's python3-venv" >&2
        if ! apt-cache show python3-venv >/dev/null 2>&1; then
            apt-get update -q >&2
        fi
        apt-get install -y -q --no-install-recommends python3-venv >&2
    else
        echo "plugins in Python: expected Python 3.11 or later with venv; on Debian: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
rm -rf "$folder"
python3 -m venv "$folder"
install "componentize-py==$version"
if [ "${1:-}" = mypy ]; then
    install "mypy==$mypy"
fi
