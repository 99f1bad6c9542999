SHELL := /bin/bash
.DEFAULT_GOAL := help
# Several clusters may be up at once: make cluster-up NAME=two KUBELETS=0 HOLLOW=100
NAME ?= berth
KUBELETS ?= 3
HOLLOW ?= 0
# Seconds that a chaos run lasts.
DURATION ?= 120

TSX := node --import tsx
MOCHA := npx mocha
CLUSTER := $(TSX) test/cluster/main.ts
INSTALLED := node_modules/.package-lock.json
ROLES := dist/berth.js

.PHONY: help build lint test test-unit test-integration test-harness test-vm e2e chaos bench demo \
  prerequisites prerequisites-nodes prerequisites-guest prerequisites-bench cluster-up cluster-down cluster-status coverage clean

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  %-20s %s\n", $$1, $$2 }'

node_modules: $(INSTALLED) ## install the packages of package-lock.json

$(INSTALLED): package-lock.json
	@if [ -L node_modules ]; then echo 'node_modules is a link, left as it is'; else npm ci; fi

build: node_modules ## compile to dist/
	npm run build

lint: node_modules ## types, lint, import rules, dead code, format
	npm run typecheck && npm run lint

test: build prerequisites-nodes prerequisites-guest ## everything; ends with "N passed, N failed"
	$(TSX) test/run-all.ts

test-unit: node_modules ## decisions without the world, and backends on real disks
	$(MOCHA) 'test/{unit,simulation,backends}/**/*.test.ts'

test-integration: build prerequisites ## against a real control plane
	$(MOCHA) 'test/integration/**/*.test.ts'

test-harness: node_modules prerequisites-nodes ## the local cluster itself
	$(MOCHA) 'test/harness/**/*.test.ts'

test-vm: node_modules prerequisites-guest ## in a virtual machine, with LVM, quotas, encryption: FILE=test/vm/NAME.test.ts
	@$(TSX) test/guest/main.ts $(FILE)

e2e: build prerequisites-nodes ## with real kubelets and disks
	$(MOCHA) 'test/e2e/**/*.test.ts'

chaos: build prerequisites ## kill everything anywhere: SEED=n DURATION=seconds KILLS=n
	@$(TSX) test/chaos/main.ts --duration $(DURATION) $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS))

bench: build prerequisites-bench ## measure; prints a table, writes test/bench/results.json
	$(TSX) test/bench/main.ts

demo: node_modules prerequisites-nodes $(ROLES) ## all of Berth on a local cluster; DEMO_ONCE=1 ends by itself
	@$(TSX) test/demo/main.ts

# What the roles of the demo are started from; made again only when the sources have changed.
$(ROLES): package.json tsconfig.json bundle.config.js $(shell find src -name '*.ts') | node_modules
	@echo 'compiling to dist/'
	@npm run --silent build || { rm -rf dist; exit 1; }

prerequisites: ## install what a local control plane needs
	@test/cluster/prerequisites.sh

prerequisites-nodes: ## install what local nodes with real containers need too
	@test/cluster/prerequisites.sh nodes

prerequisites-bench: prerequisites ## install what measuring needs too
	@test/cluster/install.sh fio

prerequisites-guest: ## install what a virtual machine for tests needs
	@test/cluster/prerequisites.sh guest

cluster-up: node_modules prerequisites-nodes ## start a local cluster: NAME=berth KUBELETS=3 HOLLOW=0
	@$(CLUSTER) up --name $(NAME) --kubelets $(KUBELETS) --hollow $(HOLLOW)

cluster-down: node_modules ## remove it again: NAME=berth
	@$(CLUSTER) down --name $(NAME)

cluster-status: node_modules ## show the local clusters
	@$(CLUSTER) status

coverage: node_modules ## how much of the compiled output the unit tests run
	npm run coverage

clean: ## remove what was built, and all local clusters
	@if [ -e node_modules ]; then $(CLUSTER) down --all; fi
	rm -rf dist coverage
