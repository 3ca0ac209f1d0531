#!/bin/sh
# The whole way of a plugin in an empty folder, as its author and its operator go it, each step timed:
#     sh tests/way.sh rust|js|python …
# new, build, check, test, sign, push, pull, verify, run, and the output compared. `tamis` is $TAMIS, else target/release/tamis.
# The registry is Debian's docker-registry on a port of loopback, see tests/registry.sh. Ends with 1 when a step fails.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
tamis=${TAMIS:-$root/target/release/tamis}
[ $# -gt 0 ] || { echo "expected one or more of: rust js python" >&2; exit 2; }
command -v "$tamis" >/dev/null || { echo "there is no $tamis: make build" >&2; exit 3; }

work=$(mktemp -d)
registry_pid=
finish() {
    [ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || :
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

now() { date +%s%3N; }

# step NAME COMMAND…: runs it with its output kept, and notes how long it took.
step() {
    name=$1
    shift
    begun=$(now)
    if ! "$@" >"$work/said" 2>&1; then
        echo "$lang: $name failed: $*" >&2
        cat "$work/said" >&2
        exit 1
    fi
    took=$(($(now) - begun))
    total=$((total + took))
    printf '  %-8s %6d.%03d s\n' "$name" $((took / 1000)) $((took % 1000))
}

serve() {
    command -v docker-registry >/dev/null || { echo "there is no docker-registry: sh tests/registry.sh" >&2; exit 3; }
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$work/registry.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: "127.0.0.1:$port" }
END
    docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
    registry_pid=$!
    for _ in $(seq 100); do
        curl -fsS "http://127.0.0.1:$port/v2/" >/dev/null 2>&1 && return
        sleep 0.1
    done
    cat "$work/registry.log" >&2
    exit 3
}

# What the language's own tools need; the author's guide has the same commands.
prepare() {
    case $lang in
        js) npm install --no-audit --no-fund ;;
        python) python3 -m venv .venv && .venv/bin/pip install -q --disable-pip-version-check componentize-py==0.25.1 ;;
        *) : ;;
    esac
}

native() {
    case $lang in
        rust) cargo test --release ;;
        js) npm test ;;
        python) PYTHONPATH=.tamis/sdk/src python3 -m unittest ;;
    esac
}

run_pulled() {
    sed 's|target/plugins/way.wasm|pulled.wasm|' tamis.yaml >pulled.yaml
    "$tamis" run -c pulled.yaml --once --again --log error >out.ndjson
}

compare() {
    cat >expected.ndjson <<'END'
{"api":"parcels","responseLatency":42,"slow":false}
{"api":"parcels","responseLatency":700,"slow":true}
{"api":"letters"}
END
    diff expected.ndjson out.ndjson
}

serve
for lang; do
    echo "$lang"
    total=0
    mkdir "$work/$lang"
    cd "$work/$lang"
    step new "$tamis" plugin new way --lang "$lang"
    cd way
    component=target/plugins/way.wasm
    reference=oci://127.0.0.1:$port/team/way-$lang:0.1.0
    step prepare prepare
    step build "$tamis" plugin build
    step check "$tamis" plugin check
    step test "$tamis" plugin test
    # The whole way of a team that has its key already; the native tests are timed beside it.
    "$tamis" plugin keygen --no-password --out "$work/$lang/team.key" >/dev/null
    step sign "$tamis" plugin sign $component --key "$work/$lang/team.key"
    step push "$tamis" plugin push $component "$reference"
    step pull "$tamis" plugin pull "$reference" --out pulled.wasm
    step verify "$tamis" plugin verify pulled.wasm --key "$work/$lang/team.pub"
    step run run_pulled
    step output compare
    printf '  %-8s %6d.%03d s\n' all $((total / 1000)) $((total % 1000))
    step native native
done
