#!/bin/sh
# `make demo`: a made-up gateway's records through four sandboxed plugins, and what became of them.
# Usage: demo.sh TAMIS RECORDS, from the project's root. Writes under target/demo.
set -eu
tamis=$1
records=$2
folder=target/demo
input=$folder/gateway-$records.ndjson

mkdir -p "$folder"
if [ ! -f "$input" ]; then
    echo "making $records records of a gateway's log: $input" >&2
    rm -f "$folder/making.ndjson"
    DEMO_RECORDS=$records DEMO_FILE=$folder/making.ndjson "$tamis" --log warn run -c samples/gateway/generate.yaml --once
    mv "$folder/making.ndjson" "$input"
fi
rm -rf "$folder/out"
echo "through drop, tenant, redact and route, each in a sandbox that sees only the fields it was granted:" >&2
TAMIS_INPUT=$input TAMIS_OUT=$folder/out "$tamis" --log warn run -c samples/gateway/pipeline.yaml --once --again --report
echo
echo "input   $input"
echo "output  $(ls "$folder"/out/* | tr '\n' ' ')"
