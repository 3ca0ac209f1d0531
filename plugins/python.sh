#!/bin/sh
# Sees to it that plugins in Python can be built: componentize-py, pinned, in a virtual environment of its own below target/.
# Nothing is installed elsewhere, but on Debian python3-venv where it is missing (root only).
set -eu
cd "$(dirname "$0")/.."

version=0.25.1
folder=target/tools/python
if "$folder/bin/componentize-py" --version 2>/dev/null | grep -qxF "componentize-py $version"; then
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
echo "plugins in Python: installing componentize-py $version into $folder" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: "componentize-py==$version" >&2
