# The whole of the daily work. `make` lists it.

CARGO ?= cargo
# cargo-nextest where it is installed: a process for each test.
RUNNER := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo 'nextest run' || echo 'test --lib --bins --tests')

.DEFAULT_GOAL := help
.PHONY: help setup check format lint docs features test bench clean

help:
	@echo 'make setup   install what the tests need from Debian (swtpm, SoftHSM, libraries)'
	@echo 'make check   format, lints, documentation and feature combinations, warnings denied'
	@echo 'make test    setup, then every test on the simulated devices'
	@echo 'make bench   what the machine does, beside the bare primitives'
	@echo 'make clean   remove what was built'

setup:
	swtpm/setup

check: format lint docs features

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
	$(CARGO) clippy -p tokenbinding-backend --no-default-features --locked -- -D warnings

test: setup
	$(CARGO) test --doc --workspace --all-features --locked
	$(CARGO) $(RUNNER) --workspace --all-features --locked

bench:
	$(CARGO) bench --workspace --locked

clean:
	$(CARGO) clean
