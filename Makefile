# Everything there is to do with this folder. `make` alone lists it.

# Whose PostgreSQL: another with `make PG_CONFIG=/path/to/pg_config …`.
PG_CONFIG ?= pg_config
PG_CONFIG_PATH = $(shell command -v $(PG_CONFIG) 2>/dev/null)
PG_FEATURE = pg$(shell $(PG_CONFIG) --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')

# One set of flags for cargo and cargo-pgrx, so that nothing is compiled twice: the build of pgrx
# depends on this path, and cargo-pgrx's own linker flag, which guards against linkers that drop
# the schema's section (`make build` fails if one does), would be another set.
export PG_CONFIG
export PGRX_PG_CONFIG_PATH = $(PG_CONFIG_PATH)
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND = 1

PURE = --no-default-features
# Tests that want the built extension: cargo leaves them out unless they are named.
CLUSTERS = --test regress --test cluster --test soak
PACKAGE = cargo pgrx package --pg-config $(PG_CONFIG_PATH) $(PURE)

.PHONY: help setup build demo test soak fuzz bench install clean fmt

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

setup: ## install what is missing: PostgreSQL, clang, cargo-pgrx
	@bash tests/support/setup.sh

build: setup ## build the extension into target/debug/pgrx-ext-pg*
	$(PACKAGE) --debug

demo: setup ## run the manual's example in a throw-away cluster
	@$(PACKAGE) --debug >/dev/null
	@cargo run --quiet $(PURE) --example demo

test: setup ## check everything: format, lints, pure half, SQL surface, real clusters
	cargo fmt --check
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy $(PURE) --all-targets -- -D warnings
	cargo clippy $(PURE) $(CLUSTERS) -- -D warnings
	cargo clippy $(PURE) --features $(PG_FEATURE) --lib -- -D warnings
	cargo test $(PURE)
	$(PACKAGE) --debug
	cargo test $(PURE) --test regress
	cargo test $(PURE) --test cluster

soak: setup ## many rounds of every fault, with a ledger; ROUNDS=10 of each, SEED=1
	$(PACKAGE) --debug
	@cargo test --quiet $(PURE) --test soak

# Fuzzing has unstable compiler flags, which a stable compiler takes with RUSTC_BOOTSTRAP.
fuzz: ## look for input that breaks a reader; TARGET=click_id for one, SECONDS=60 for each
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	@cd tests/fuzz && for target in $(or $(TARGET),$$(cargo fuzz list --fuzz-dir .)); do \
		mkdir -p target/found/$$target && \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --sanitizer none $$target \
			target/found/$$target corpus/$$target -- -max_total_time=$(or $(SECONDS),60) || exit; \
	done

bench: setup ## measure, in the release profile; ONLY=latency for one of them
	$(PACKAGE)
	cargo bench $(PURE) --bench bench -- $(ONLY)

install: setup ## build for release and install into this machine's PostgreSQL
	cargo pgrx install --release --pg-config $(PG_CONFIG_PATH) $(PURE) \
		$(if $(filter-out 0,$(shell id -u)),--sudo)

clean: ## remove what was built
	cargo clean

fmt: ## format the code
	cargo fmt
	cargo fmt --manifest-path tests/fuzz/Cargo.toml
