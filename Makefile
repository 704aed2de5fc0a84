# Everything a newcomer or a CI needs, from nothing: `make demo`, `make test`.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

# The side-car's program is a crate of its own; it is built static by docker/setup.sh, and looked after here.
HAND := --manifest-path docker/nemesis/hand/Cargo.toml

# As a person would call it, by whichever of the two commands is here.
COMPOSE := $$(docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) -f docker/docker-compose.kafka.yml

.PHONY: help setup build demo faults controls soak test bench images lint clean-runs compose-up compose-down

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## a C compiler, a container engine and the images, where they are missing
	@docker/setup.sh

build: ## the binary, optimised
	$(CARGO) build --release

demo: setup build ## start three brokers, kill one under load, prove that nothing was lost
	$(TARGET)/release/wiber-chaos run scenarios/kill-one.toml

# Those on brokers that the run itself starts: all but the attached cluster's and the mock's, and the one that is about hours.
FAULTS := $(filter-out scenarios/attach-%.toml scenarios/mock%.toml scenarios/baseline.toml scenarios/soak.toml,$(sort $(wildcard scenarios/*.toml)))

faults: setup build ## every fault there is, one scenario after another: one table at the end
	$(TARGET)/release/wiber-chaos run $(FAULTS)

controls: setup build ## what must be caught: runs that lose, repeat, reorder or skip records for real
	$(TARGET)/release/wiber-chaos run $(sort $(wildcard scenarios/controls/*.toml))

soak: setup build ## faults of every family all along, for FOR=10m or as long as you say
	$(TARGET)/release/wiber-chaos run scenarios/soak.toml --for $(or $(FOR),10m)

# Real brokers are mostly waited for, so that their tests wait side by side: as many as a small machine bears, of which
# tests/docker/turn.rs lets no more than two have a cluster. All other tests keep the processors busy.
QUICK := $(filter-out docker,$(notdir $(basename $(wildcard tests/*.rs)) $(patsubst %/main.rs,%,$(wildcard tests/*/main.rs))))

test: setup ## every test, those on real brokers and in a real browser included
	@docker/setup.sh --compose
	@docker/setup.sh --browser
	CARGO_TARGET_DIR=$(TARGET)/hand $(CARGO) test $(HAND)
	$(CARGO) test --lib --bins $(addprefix --test ,$(QUICK))
	$(CARGO) test --doc
	$(CARGO) test --test docker -- --test-threads 3

bench: setup ## side by side with kcat and Kafka's own tools, and the check of large histories: benches/README.md
	@docker/setup.sh --peers
	$(CARGO) bench --bench offline -- --directory $(TARGET)/bench-histories --millions $(or $(MILLIONS),1$(,)10$(,)100)
	$(CARGO) bench --bench peers -- --rounds $(or $(ROUNDS),5)

# Pictures of pages as people see them: RUNS="DIR ..." are the runs to show, INDEX=FILE a page over all of them, COMPARISON=FILE
# a page of two. Without any, the run that is kept in reports/sample.
images: ## pictures of the reports for the docs, light, dark, narrow and printed: docs/images/
	@docker/setup.sh --browser
	RUNS="$(or $(RUNS),reports/sample)" INDEX="$(INDEX)" COMPARISON="$(COMPARISON)" \
		$(CARGO) test --test browser -- --ignored --exact pictures::pictures_of_the_pages --nocapture

# A comma, which a function's arguments cannot hold.
, := ,

lint: ## formatting and lints, warnings as errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) fmt $(HAND) --check
	CARGO_TARGET_DIR=$(TARGET)/hand $(CARGO) clippy $(HAND) --all-targets -- -D warnings

clean-runs: build ## remove what dead runs left in the engine
	$(TARGET)/release/wiber-chaos clean

compose-up: setup ## three brokers to play with by hand, and the topic chat: docs/drill.md
	@docker/setup.sh --compose
	@if [ -n "$$(docker ps -aq --filter name='^/kafka-1$$' --filter label=wiber-chaos.standing)" ]; then \
		echo 'the brokers of `wiber-chaos up` have these names: `wiber-chaos down` first, it keeps their data' >&2; exit 5; fi
	@image=$$(docker/setup.sh --image) && WIBER_KAFKA_IMAGE=$$image $(COMPOSE) up -d
	@[ "$$(docker wait $$($(COMPOSE) ps -aq chat-topic))" = 0 ] || { $(COMPOSE) logs chat-topic; exit 5; }

compose-down: ## remove those brokers; their data stays, for the next compose-up
	@$(COMPOSE) down
