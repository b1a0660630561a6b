# The whole of the daily work. `make` lists it.

CARGO ?= cargo
# cargo-nextest where it is installed: a process for each test.
RUNNER := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo 'nextest run' || echo 'test --lib --bins --tests')

.DEFAULT_GOAL := help
.PHONY: help setup check format lint docs features supply dependencies deny test bench clean library install uninstall

help:
	@echo 'make setup   install what the tests need from Debian (swtpm, SoftHSM, libraries)'
	@echo 'make check   format, lints, documentation and feature combinations, warnings denied'
	@echo 'make dependencies   writes docs/dependencies.md anew'
	@echo 'make deny    advisories, licences, bans and sources of the dependencies, by cargo-deny'
	@echo 'make test    setup, then every test on the simulated devices'
	@echo 'make bench   what the machine does, beside the bare primitives'
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
	$(CARGO) $(RUNNER) --workspace --all-features --locked

bench:
	$(CARGO) bench -p tokenbinding --bench bindings --locked

clean:
	$(CARGO) clean

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
