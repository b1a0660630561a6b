# The whole of the daily work. `make` lists it.

CARGO ?= cargo
# cargo-nextest where it is installed: a process for each test.
RUNNER := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo 'nextest run' || echo 'test --lib --bins --tests')

.DEFAULT_GOAL := help
.PHONY: help setup check format lint docs features test bench bench-json \
    bench-growth bench-memory measured load crash fault-matrix \
    supply dependencies deny oracle fuzz fuzz-check clean library install uninstall

help:
	@echo 'make setup   install what the tests need from Debian (swtpm, SoftHSM, libraries)'
	@echo 'make check   format, lints, documentation and feature combinations, warnings denied'
	@echo 'make dependencies   writes docs/dependencies.md anew'
	@echo 'make deny    advisories, licences, bans and sources of the dependencies, by cargo-deny'
	@echo 'make test    setup, then every test on the simulated devices'
	@echo 'make bench   what each path costs beside the bare primitive, against its budget'
	@echo 'make bench-json      the same as JSON (with make -s)'
	@echo 'make bench-growth    what the costs grow with'
	@echo 'make bench-memory    how much memory it takes at most'
	@echo 'make load    many connections and bad headers: CONNECTIONS=, REQUESTS=, HEADERS='
	@echo 'make fault-matrix    writes docs/fault-matrix.md anew from what the devices do'
	@echo 'make crash   power cuts, full disks and kill -9 on the store, ROUNDS=n times as many'
	@echo 'make oracle  as many messages as COUNT= says, of the seed SEED=, to a second verifier in Python'
	@echo 'make fuzz    every fuzz target for SECONDS= each, or the one that TARGET= names'
	@echo 'make clean   remove what was built'
	@echo 'make install     the C library, its headers and tokenbinding.pc, below PREFIX'
	@echo 'make uninstall   removes them again'

setup:
	swtpm/setup

check: format lint docs features supply

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --all-features --no-deps --locked

features:
	$(CARGO) clippy -p tokenbinding --no-default-features --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding --no-default-features --features pkcs11 --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding --no-default-features --features tpm --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding-cli --no-default-features --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding-cli --no-default-features --features https --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding-https --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding-capi --no-default-features --locked -- -D warnings
	$(CARGO) clippy -p tokenbinding-backend --no-default-features --locked -- -D warnings

# What is linked and what is unsafe are as the documents say.
supply:
	.ci/dependencies --check
	.ci/unsafe >/dev/null

dependencies:
	.ci/dependencies > docs/dependencies.md.new
	mv docs/dependencies.md.new docs/dependencies.md

# Needs cargo-deny; its advisories need the network.
deny:
	$(CARGO) deny --all-features check

test: setup
	$(CARGO) test --doc --workspace --all-features --locked
	$(CARGO) $(RUNNER) --workspace --all-features --locked --no-fail-fast

ROUNDS ?= 10
crash:
	TOKENBINDING_CRASH_ROUNDS=$(ROUNDS) $(CARGO) test -p tokenbinding-cli --test crash --all-features --locked -- \
	    --nocapture --test-threads 4

# What is measured as a whole process.
measured: setup
	$(CARGO) build --release --locked --features tpm,https

MEASURE = $(CARGO) bench --quiet --locked -p tokenbinding-benches --bench

bench: measured
	$(MEASURE) budgets

bench-json: measured
	@$(MEASURE) budgets -- --json

bench-growth: measured
	$(MEASURE) growth

bench-memory: measured
	$(MEASURE) memory

# Writes docs/fault-matrix.md anew.
fault-matrix: setup
	TOKENBINDING_WRITE_FAULT_MATRIX=1 $(CARGO) test --locked -p tokenbinding --all-features --test fault_matrix \
	    -- --test-threads=1

# Both ends in one process: CONNECTIONS open at once, each with REQUESTS; random HEADERS.
CONNECTIONS ?= 1000
REQUESTS ?= 20
HEADERS ?= 100000

load:
	CONNECTIONS=$(CONNECTIONS) REQUESTS=$(REQUESTS) HEADERS=$(HEADERS) $(CARGO) test --release --locked \
	    -p tokenbinding-https --all-features --test load -- --nocapture --test-threads=1

COUNT ?= 100000
SEED ?= $(shell date +%s)

oracle:
	TOKENBINDING_ORACLE_COUNT=$(COUNT) TOKENBINDING_ORACLE_SEED=$(SEED) \
	    $(CARGO) test -p tokenbinding --test oracle --locked -- --nocapture

SECONDS ?= 60
TARGET ?=

fuzz:
	fuzz/run $(SECONDS) $(TARGET)

# That the targets still compile, without the engine; among what was compiled for the workspace.
fuzz-check:
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	CARGO_TARGET_DIR=$(CURDIR)/target $(CARGO) check --manifest-path fuzz/Cargo.toml \
	    --no-default-features --locked

clean:
	$(CARGO) clean
	rm -rf fuzz/target

# The C library. DESTDIR goes before every path; FEATURES= builds it without the TPM.
PREFIX ?= /usr/local
FEATURES ?= tpm
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
LIBRARY := libtokenbinding.so.0
BUILT := target/release
lib = $(DESTDIR)$(PREFIX)/lib
include = $(DESTDIR)$(PREFIX)/include

library:
	$(CARGO) build -p tokenbinding-capi --release --locked --features '$(FEATURES)'

install: library
	install -d $(lib)/pkgconfig $(include)
	install -m 755 $(BUILT)/libtokenbinding_c.so $(lib)/libtokenbinding.so.$(VERSION)
	ln -sf libtokenbinding.so.$(VERSION) $(lib)/$(LIBRARY)
	ln -sf $(LIBRARY) $(lib)/libtokenbinding.so
	install -m 644 $(BUILT)/libtokenbinding_c.a $(lib)/libtokenbinding.a
	install -m 644 capi/include/tokenbinding.h capi/include/tokenbinding_types.h $(include)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@PRIVATE@|$(if $(filter tpm,$(FEATURES)),-ltss2-esys -ltss2-tctildr -ltss2-mu) -lgcc_s -lm -lpthread -ldl|' \
	    capi/tokenbinding.pc.in > $(lib)/pkgconfig/tokenbinding.pc

uninstall:
	rm -f $(lib)/libtokenbinding.so.$(VERSION) $(lib)/$(LIBRARY) $(lib)/libtokenbinding.so \
	    $(lib)/libtokenbinding.a $(lib)/pkgconfig/tokenbinding.pc \
	    $(include)/tokenbinding.h $(include)/tokenbinding_types.h
