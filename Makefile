# Every habit, one verb each. `make help` lists them.
SHELL := /bin/sh
CARGO ?= cargo
TAMIS := target/release/tamis
# Components that `make plugins` builds: the reference plugins, and the guests of the tests.
PLUGINS := $(addprefix plugins/,drop tenant calls-internet pattern redact route outcome resource channel share sample ecs otel project)
GUESTS := tests/guests/hostile tests/guests/hostile-js tests/guests/identity tests/guests/bad
# The plugins in JavaScript, with tests of their own.
PLUGINS += plugins/tenant-js
# Components in Python: 10 s each to build, left out where nothing changed.
PYTHON_PLUGINS := plugins/tenant-python tests/guests/hostile-python
PYTHON := target/tools/python/bin/python
# Records that `make demo` takes through the pipeline.
DEMO_RECORDS ?= 1000000
# Seconds that `make fuzz` takes.
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build plugins guests demo test test-faults check bench fuzz fmt clean

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

build: ## The host: target/release/tamis
	@sh host/network/libraries.sh
	$(CARGO) build --release --locked -p tamis-cli

plugins: build ## The reference plugins as components: target/plugins/*.wasm
	@sh plugins/toolchain.sh
	@sh plugins/sdk/js/tools.sh
	$(TAMIS) plugin build $(PLUGINS) --out target/plugins

guests: plugins ## The hostile guests and the benchmarks' guests of the tests
	$(TAMIS) plugin build $(GUESTS) --out target/plugins

demo: plugins ## The main job on a million made-up gateway records, and what became of them
	@sh samples/demo.sh $(TAMIS) $(DEMO_RECORDS)

.PHONY: python
python: build ## The plugin and the guest in Python as components
	@sh plugins/python.sh
	$(TAMIS) plugin build $(PYTHON_PLUGINS) --out target/plugins

test: guests python ## All tests: host, plugins, whole binary, samples
	$(CARGO) test --release --locked --workspace
	cd plugins && $(CARGO) test --release --locked --workspace --target-dir ../target/plugins-native
	sh plugins/sdk/js/test.sh
	cd plugins/sdk/python && PYTHONPATH=src ../../../$(PYTHON) -B -m unittest
	cd plugins/tenant-python && PYTHONPATH=../sdk/python/src ../../$(PYTHON) -B -m unittest
	sh tests/way.sh --short rust

test-faults: guests ## Kills, rotations, full disks, failing syncs and sinks under load; FAULTS=long takes most of an hour
	# As the tests are built, so that nothing is compiled a second time with other features.
	$(CARGO) test --release --locked --workspace --no-run
	target/release/tamis-faults

check: ## Formatting, lints, types of the Python, links in the documentation, the chart
	$(CARGO) fmt --all --check
	cd plugins && $(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@sh plugins/python.sh mypy
	cd plugins/sdk/python && MYPYPATH=src ../../../$(PYTHON) -m mypy --cache-dir ../../../target/mypy src tests
	cd plugins/tenant-python && MYPYPATH=../sdk/python/src ../../$(PYTHON) -m mypy --cache-dir ../../target/mypy tenant tests
	$(PYTHON) -m mypy --cache-dir target/mypy --ignore-missing-imports deploy/chart/check.py
	sh docs/check-links.sh

# What a process does to its files is recorded with strace.
.PHONY: strace test-power
test: strace
test-faults: strace

strace:
	@sh tests/strace.sh

# A registry, a second client for it, and a second signer.
.PHONY: registry-tools
test: registry-tools

registry-tools:
	@sh tests/registry.sh

# A Prometheus, which evaluates the alert rules and the dashboard.
.PHONY: monitoring-tools
test: monitoring-tools

monitoring-tools:
	@sh tests/monitoring.sh

# Servers and clients of network protocols.
.PHONY: servers
test: servers

servers:
	@sh tests/servers.sh

test-power: build strace ## Power loss at 300 moments of recorded runs, 4,000 with FAULTS=long, and each sync taken away
	POWER_STATES=$(if $(filter long,$(FAULTS)),4000,300) SIM_SEEDS=$(if $(filter long,$(FAULTS)),50000,5000) \
	    $(CARGO) test --release --locked -p tamis-tests -p tamis-delivery --test main --test simulation -- --nocapture --test-threads 1 power_loss what_is_told

.PHONY: reload-proof
reload-proof: guests ## 1,000 reloads under two loads, and 100 that compile: what is lost, memory, latency; RELOADS=1000
	# As the tests are built, so that nothing is compiled a second time with other features.
	$(CARGO) test --release --locked --workspace --no-run
	target/release/tamis-reloads $(or $(RELOADS),1000)

# The image is packed with buildah in its tests too; without it only what it holds is tested.
.PHONY: image image-tools chart
test: image-tools

image-tools:
	@sh deploy/tools.sh image

image: plugins image-tools ## Images of the host and of the reference plugins, without a base and without root: target/image
	sh deploy/image/build.sh

chart: plugins ## The Helm chart: lint, every mode against Kubernetes' schemas, every configuration through `tamis check`
	@sh deploy/tools.sh
	target/tools/deploy/bin/python -B deploy/chart/check.py --tamis $(TAMIS) --plugins target/plugins

check: chart

.PHONY: plugin-docs
plugin-docs: plugins python ## The pages of the reference plugins, from their components: docs/reference/plugins
	@mkdir -p docs/reference/plugins
	@for name in $(notdir $(PLUGINS) $(filter plugins/%,$(PYTHON_PLUGINS))); do \
	    $(TAMIS) plugin inspect --docs target/plugins/$$name.wasm > docs/reference/plugins/$$name.md || exit 1; done

.PHONY: reference
reference: build ## The reference of all options and the JSON Schema, from the code: docs/reference/options.md
	$(TAMIS) schema > host/config/tamis.schema.json.new && mv host/config/tamis.schema.json.new host/config/tamis.schema.json
	$(TAMIS) schema --output markdown > docs/reference/options.md.new && mv docs/reference/options.md.new docs/reference/options.md

.PHONY: test-way
test-way: build ## A plugin's whole way in each of LANGS="rust js python": new, build, check, test, sign, push, pull, verify, run
	@sh plugins/toolchain.sh && sh tests/registry.sh
	WAY_SECONDS=$(or $(WAY_SECONDS),300) sh tests/way.sh $(or $(LANGS),rust js python)

bench: guests ## Ratios measured in one run: sandboxed vs native, projected vs full, lanes, VRL, serde_json; codecs; spool
	$(CARGO) build --release --locked -p tamis-tests --bins
	target/release/tamis-bench
	$(CARGO) run --release --locked -q -p tamis-codecs --example throughput -- all 0.2
	$(CARGO) run --release --locked -q -p tamis-delivery --example spool

EXCHANGES = http_programs through_a_kill syslog:: elastic:: nats:: kafka store:: otlp:: otlp_collector:: loki_server
.PHONY: exchanges
exchanges: export NETWORK = long
exchanges: guests ## 100,000 records by each protocol with programs of others, both ends killed: the table of docs/reference/exchanges.md
	@sh tests/servers.sh
	@sh tests/registry.sh
	$(CARGO) test --release --locked --workspace --test main --no-run
	$(CARGO) test --release --locked --workspace --test main -- --nocapture --test-threads 2 $(EXCHANGES) > target/exchanges.txt 2>&1; \
	    code=$$?; grep -E '^exchange|^skipped|panicked|^test result' target/exchanges.txt; exit $$code

.PHONY: sizing
sizing: guests servers ## What a record costs on its way in and out, protocol by protocol: the table of docs/reference/sizing.md
	$(CARGO) test --release --locked --workspace --no-run
	target/release/tamis-bench --sizing

SEED ?= 1
.PHONY: corpus
corpus: ## Recall and false positives of redact on its labelled corpus, long form, by kind; SEED=1
	cd plugins && $(CARGO) run --release --locked -q --target-dir ../target/plugins-native -p tamis-plugin-redact --example corpus -- $(SEED)

fuzz: ## All codecs together on lines changed at random, for FUZZ_SECONDS=60: no panic, no record that is not JSON
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --release --locked -p tamis-codecs --test fuzz -- --nocapture

fmt: ## Format everything
	$(CARGO) fmt --all
	cd plugins && $(CARGO) fmt --all

clean: ## Remove everything that was built
	rm -rf target plugins/target tests/guests/*/target tests/compat/*/source/target
