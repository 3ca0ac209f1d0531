#!/bin/sh
# The whole way of a plugin in an empty folder, as its author and its operator go it, each step timed and its answer looked at:
#     sh tests/way.sh [--short] rust|js|python …
# new, build, check, test, sign, push, pull, verify, run, and the output compared; at the end a table of seconds a step.
# `tamis` is $TAMIS, else target/release/tamis. The registry is Debian's docker-registry on a port of loopback, see
# tests/registry.sh. Ends with 1 when a step fails, and when a language took longer than WAY_SECONDS (where that is set).
#
# --short is for `make test`: what cargo compiled is kept in target/way, so that the second time takes seconds; the native tests
# are left out, and without a registry all of it is.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
tamis=${TAMIS:-$root/target/release/tamis}
short=
if [ "${1:-}" = --short ]; then short=yes; shift; fi
[ $# -gt 0 ] || { echo "expected [--short] and one or more of: rust js python" >&2; exit 2; }
for lang; do
    case $lang in
        rust | js | python) : ;;
        *) echo "expected rust, js or python, found $lang" >&2; exit 2 ;;
    esac
done
command -v "$tamis" >/dev/null || { echo "there is no $tamis: make build" >&2; exit 3; }
if ! command -v docker-registry >/dev/null; then
    echo "the way of a plugin: there is no docker-registry (sh tests/registry.sh)${short:+: skipped}" >&2
    [ -n "$short" ] && exit 0
    exit 3
fi

work=$(mktemp -d)
registry_pid=
finish() {
    # Only what this script began.
    [ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || :
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

now() { date +%s%3N; }

# fail WHY: ends it all, with what the last step said.
fail() {
    echo "$lang: $name failed: $1" >&2
    cat "$work/said" >&2
    exit 1
}

# step NAME COMMAND…: runs it with its output kept, and notes how long it took.
step() {
    name=$1
    shift
    begun=$(now)
    "$@" >"$work/said" 2>&1 || fail "exit code $? of: $*"
    echo "$lang $name $(($(now) - begun))" >>"$work/times"
}

# refused CODE COMMAND…: the command has to end with this code. Not timed.
refused() {
    expected=$1
    shift
    code=0
    "$@" >"$work/said" 2>&1 || code=$?
    [ "$code" = "$expected" ] || fail "expected exit code $expected, found $code of: $*"
}

# said TEXT…: the last command has to have said each.
said() {
    for text; do
        grep -qF -- "$text" "$work/said" || fail "expected it to say: $text"
    done
}

serve() {
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

# What the platform team runs: the component that was pulled, and none but those signed with the team's key.
run_pulled() {
    sed "s|target/plugins/way.wasm|pulled.wasm|" tamis.yaml >pulled.yaml
    printf 'plugins_policy: { require_signature: ["%s"] }\n' "$work/$lang/$1.pub" >>pulled.yaml
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

# The place of the plugin: kept in the short form, because cargo builds anew in another folder.
place() {
    if [ -n "$short" ]; then
        folder=$root/target/way/$lang
        export CARGO_TARGET_DIR="$root/target/way/cargo"
        rm -rf "$folder"
    else
        folder=$work/$lang/plugin
    fi
    mkdir -p "$folder" "$work/$lang"
    cd "$folder"
}

way() {
    place
    step new "$tamis" plugin new way --lang "$lang"
    said "tamis plugin build" "tamis plugin check" "tamis plugin test"
    cd way
    component=target/plugins/way.wasm
    reference=oci://127.0.0.1:$port/team/way-$lang:0.1.0
    step prepare prepare
    step build "$tamis" plugin build
    [ -s $component ] || fail "there is no $component"
    step check "$tamis" plugin check
    said "0 errors" "(2 configurations, 7 records of cases)"
    step test "$tamis" plugin test
    said "3 passed"

    # A team has its key already; another one has to be refused later.
    "$tamis" plugin keygen --no-password --out "$work/$lang/team.key" >/dev/null
    "$tamis" plugin keygen --no-password --out "$work/$lang/other.key" >/dev/null
    step sign "$tamis" plugin sign $component --key "$work/$lang/team.key"
    [ -s $component.minisig ] || fail "there is no $component.minisig"
    if command -v minisign >/dev/null; then
        refused 0 minisign -V -p "$work/$lang/team.pub" -m $component
    fi
    step push "$tamis" plugin push $component "$reference" --no-move
    said "@sha256:" "signed by"
    if command -v skopeo >/dev/null; then
        refused 0 skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$port/team/way-$lang:0.1.0"
        said application/wasm tamis.plugin.minisig
    fi

    step pull "$tamis" plugin pull "$reference" --out pulled.wasm --key "$work/$lang/team.pub"
    cmp $component pulled.wasm || fail "what was pulled is not what was pushed"
    step verify "$tamis" plugin verify pulled.wasm --key "$work/$lang/team.pub"
    said "signed by"
    refused 1 "$tamis" plugin verify pulled.wasm --key "$work/$lang/other.pub"
    { cat pulled.wasm; printf x; } >changed.wasm
    refused 1 "$tamis" plugin verify changed.wasm --key "$work/$lang/team.pub" --signature pulled.wasm.minisig
    refused 2 run_pulled other
    said E219

    step run run_pulled team
    step output compare
    if [ -z "$short" ]; then step native native; fi
}

table() {
    awk -v limit="${WAY_SECONDS:-0}" '
        !($1 in sum) { languages[++columns] = $1 }
        !($2 in seen) && $2 != "native" { seen[$2]; steps[++rows] = $2 }
        { took[$1, $2] = $3; if ($2 != "native") sum[$1] += $3; else beside = 1 }
        function line(name, row,    column) {
            printf "%-8s", name
            for (column = 1; column <= columns; column++)
                printf "%9.2f", (row == "" ? sum[languages[column]] : took[languages[column], row]) / 1000
            print ""
        }
        END {
            printf "%-8s", "seconds"
            for (column = 1; column <= columns; column++) printf "%9s", languages[column]
            print ""
            for (row = 1; row <= rows; row++) line(steps[row], steps[row])
            line("all", "")
            # Another build, for the machine itself.
            if (beside) line("native", "native")
            for (column = 1; column <= columns; column++)
                if (limit > 0 && sum[languages[column]] > limit * 1000) {
                    printf "%s: expected at most %d s\n", languages[column], limit
                    late = 1
                }
            exit late
        }' "$work/times"
}

serve
for lang; do
    echo "the way of a plugin: $lang"
    way
done
table
