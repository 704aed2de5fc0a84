# Everything a newcomer or a CI needs, from nothing: `make demo`, `make test`.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help setup build demo test lint clean-runs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## a C compiler, a container engine and the images, where they are missing
	@docker/setup.sh

build: ## the binary, optimised
	$(CARGO) build --release

demo: setup build ## start three brokers, kill one under load, prove that nothing was lost
	$(TARGET)/release/wiber-chaos run scenarios/kill-one.toml

test: setup ## every test, those on real brokers included
	$(CARGO) test

lint: ## formatting and lints, warnings as errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

clean-runs: build ## remove what dead runs left in the engine
	$(TARGET)/release/wiber-chaos clean
