# Everything there is to do with this folder. `make` alone lists it.

# Whose PostgreSQL: another with `make PG_CONFIG=/path/to/pg_config …`. pgrx's build knows it by the
# second name.
PG_CONFIG ?= pg_config
export PGRX_PG_CONFIG_PATH = $(PG_CONFIG)
MAJOR = $(shell $(PG_CONFIG) --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')

# The half that needs no PostgreSQL, and all of it. Tests against clusters are left out of the first, and
# take the library from the target folder that they are built in themselves.
PURE = --no-default-features
FULL = --no-default-features --features pg$(MAJOR)

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
LIBRARIES = $(DESTDIR)$(if $(prefix),$(prefix)/lib,$(shell $(PG_CONFIG) --pkglibdir))
SCRIPTS = $(DESTDIR)$(if $(prefix),$(prefix)/share,$(shell $(PG_CONFIG) --sharedir))/extension
SUDO = $(if $(DESTDIR)$(prefix)$(filter 0,$(shell id -u)),,sudo)

.PHONY: help setup build demo test test-asserts test-all drivers soak fuzz bench all install deb installcheck clean fmt

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

setup: ## install what is missing: PostgreSQL with its headers, clang
	@bash tests/support/setup.sh

build: ## build the extension's library
	@bash tests/support/setup.sh build
	cargo build $(FULL) --lib

demo: setup ## run the manual's example in a throw-away cluster
	@cargo run --quiet $(FULL) --example demo

test: setup ## check everything: format, lints, pure half, SQL surface, real clusters
	cargo fmt --check
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo fmt --check --manifest-path tests/drivers/rust/Cargo.toml
	cargo clippy $(PURE) --all-targets -- -D warnings
	cargo clippy $(FULL) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet $(PURE) --no-deps --document-private-items
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet $(FULL) --no-deps --document-private-items
	cargo test $(PURE)
	cargo test $(FULL) --test regress --test cluster

# With debug_discard_caches each look-up in a catalog is forgotten as soon as it can be.
test-asserts: setup ## the SQL surface and real clusters on a PostgreSQL with assertions, which it builds once
	@server=$$(bash tests/support/server.sh $(MAJOR) assertions) && server=$${server%% *} && \
	on_server="cargo --config target.'cfg(all())'.runner=['env','PGRX_PG_CONFIG_PATH=$$server'] test" && \
	$$on_server $(FULL) --test regress --test cluster && \
	ONLY=trigger CONF='debug_discard_caches = 1' $$on_server $(FULL) --test regress

test-all: setup ## the SQL surface and real clusters on PostgreSQL 15 to 18; VERSIONS='16 17' for some
	@bash tests/support/test_all.sh $(VERSIONS)

drivers: setup ## try click ids in real drivers and ORMs: their results must be the README's table
	@bash tests/drivers/install.sh
	@cargo run --quiet $(FULL) --example drivers

soak: setup ## many rounds of every fault, with a ledger; ROUNDS=10 of each, SEED=1
	@cargo test --quiet $(FULL) --test soak

# Fuzzing has unstable compiler flags, which a stable compiler takes with RUSTC_BOOTSTRAP.
fuzz: ## look for input that breaks a reader; TARGET=click_id for one, SECONDS=60 for each
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	@cd tests/fuzz && for target in $(or $(TARGET),$$(cargo fuzz list --fuzz-dir .)); do \
		mkdir -p target/found/$$target && \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --sanitizer none $$target \
			target/found/$$target corpus/$$target -- -max_total_time=$(or $(SECONDS),60) || exit; \
	done

bench: setup ## measure, in the release profile; ONLY=latency for one of them
	cargo bench $(FULL) --bench bench -- $(ONLY)

all: ## build for release
	@bash tests/support/setup.sh build
	cargo build --release $(FULL) --lib --target-dir target

install: all ## install that into PostgreSQL, below DESTDIR if that is set, or in prefix=/folder
	$(SUDO) install -d '$(LIBRARIES)' '$(SCRIPTS)'
	$(SUDO) install -m 755 target/release/libpgrx_ext.so '$(LIBRARIES)/pgrx-ext.so'
	sed 's/@CARGO_VERSION@/$(VERSION)/' pgrx-ext.control > target/release/pgrx-ext.control
	$(SUDO) install -m 644 target/release/pgrx-ext.control sql/pgrx-ext--*--*.sql '$(SCRIPTS)'
	$(SUDO) install -m 644 sql/pgrx-ext.sql '$(SCRIPTS)/pgrx-ext--$(VERSION).sql'

# Cargo and rustup look below HOME, which Debian's build tools change.
deb: ## build Debian packages of what is committed, for Debian's PostgreSQL; offline after `cargo fetch --locked`
	rm -rf target/deb && mkdir -p target/deb/pgrx-ext-$(VERSION)
	git archive HEAD | tar x -C target/deb/pgrx-ext-$(VERSION)
	tar c -C target/deb pgrx-ext-$(VERSION) | xz -T0 > target/deb/pgrx-ext_$(VERSION).orig.tar.xz
	cd target/deb/pgrx-ext-$(VERSION) && cp -r packaging/debian . && pg_buildext updatecontrol && \
		CARGO_HOME=$${CARGO_HOME:-$$HOME/.cargo} RUSTUP_HOME=$${RUSTUP_HOME:-$$HOME/.rustup} \
		dpkg-buildpackage --no-sign
	lintian --fail-on error target/deb/*.changes

installcheck: ## run the SQL surface's tests on a server that has the installed extension, and no worker
	@PG_CONFIG='$(PG_CONFIG)' tests/pg_regress/run

clean: ## remove what was built
	cargo clean

fmt: ## format the code
	cargo fmt
	cargo fmt --manifest-path tests/fuzz/Cargo.toml
	cargo fmt --manifest-path tests/drivers/rust/Cargo.toml
