# Each target works on a machine that has only python3 (with venv) and make: the first one run creates .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# The Python clients and kcat are part of `make test` too.
CLIENTS := $(foreach each,aiokafka confluent_kafka kafka_python kcat,tests/conformance/test_$(each).py)

.PHONY: demo test check conformance flink-oracle bench flink-golden soak soak-engine lock clean help

help:           ## what can be run
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(READY)  ## broker, live events, SQL jobs and a web page
	$(BIN)/yeoul demo $(ARGS)

test: $(READY)  ## every test
	$(BIN)/python -m yeoul.kernels
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

check: $(READY) ## style, types and the layer contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

conformance: $(READY) ## every real client: Java, Go, Node, Python, Kafka's own tools (those that are here)
	$(BIN)/python -m pytest conformance $(CLIENTS) -p no:xdist -vv --tb=short --timeout 180 $(if $(ARGS),$(ARGS),--report docs/conformance.md)

flink-oracle: $(READY) ## what Flink answers to the expressions of tests/flink/scalar_answers.tsv, written into it
	$(BIN)/python -m tests.flink

bench: $(READY) ## speed, as ratios within one run
	$(BIN)/python -m bench $(ARGS)

flink-golden: $(READY) ## the golden SQL cases on PyFlink, compared (needs Java 17 and bench/peers-venvs/flink)
	$(BIN)/python -m tests.golden.flink $(ARGS)

soak: $(READY)   ## consistency while the broker is killed, stopped and cut off; ARGS="--minutes 10 --seed 7"
	$(BIN)/python -m soak $(ARGS)

soak-engine: $(READY) ## half an hour of SQL at a steady rate: is memory flat, are the answers DuckDB's; ARGS="--minutes 5"
	$(BIN)/python -m soak.engine $(ARGS)

$(READY): pyproject.toml requirements/dev.lock requirements/tools.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/tools.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m yeoul.kernels
	touch $(READY)

lock: $(READY)  ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml requirements/build.in -o requirements/dev.lock --upgrade
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header requirements/tools.in -o requirements/tools.lock --upgrade

clean:          ## remove what the targets made
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis build dist
