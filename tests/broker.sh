#!/bin/sh
# Builds Tansu's broker with a store that keeps users (tests/broker), for the tests of Kafka's SASL: the one of PyPI has none. About 400
# crates, minutes on two cores, so `make test` does without and says which tests are skipped.
set -eu
cd "$(dirname "$0")/.."

folder=target/tools/broker
if [ -x "$folder/broker" ] && cmp -s tests/broker/Cargo.lock "$folder/Cargo.lock" && cmp -s tests/broker/src/main.rs "$folder/main.rs"; then
    exit 0
fi
echo "tests of Kafka's SASL: building a broker in $folder" >&2
nice cargo build --locked -q --manifest-path tests/broker/Cargo.toml --target-dir "$folder/target"
cp "$folder/target/debug/broker" "$folder/broker"
cp tests/broker/Cargo.lock "$folder/Cargo.lock"
cp tests/broker/src/main.rs "$folder/main.rs"
rm -rf "$folder/target"
