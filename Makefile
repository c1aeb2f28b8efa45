# Seine's commands. `make help` lists them; each installs what it needs and is a plain command otherwise.

GO     ?= go
MODULE := github.com/seine-net/seine

# Given to `make demo` and `make run`: make demo ARGS="--help"
ARGS ?=
# Given to `make check-kernels`: one kernel of the table in test/kernels, tests as go test -run, and flags such as -guests.
KERNEL ?=
RUN    ?=
MATRIX ?=
# What `make image` packs, and whether it goes to the registry in its name.
IMAGE ?= localhost/seine:$(VERSION)
ARCH  ?= amd64 arm64
PUSH  ?=
# How long `make fuzz` spends on each target, and how long `make soak` runs.
FUZZTIME ?= 30s
SOAK     ?= 10m

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# The same settings for every step, so that all share one build cache. Race tests alone need cgo.
export PATH        := $(PATH):/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin
export CGO_ENABLED := 0
export GOFLAGS     := $(strip $(GOFLAGS) -trimpath -buildvcs=false)

# Packages whose tests make network namespaces or load BPF programs, which needs root. A new package needs
# none until it is named here.
ROOT := bpf|cmd/seine|internal/(agent|capture|demo|nat/ctnetlink|store/local/diskfull|testkit)
UNIT := $$($(GO) list ./... | grep -vE '^$(MODULE)/($(ROOT))(/|$$)')
REAL := $$($(GO) list ./... | grep -E '^$(MODULE)/($(ROOT))(/|$$)')
# Packages that start no goroutine and share nothing between them: the race detector has nothing to find there.
ALONE := internal/(cost|enrich|flow|health|nat|process)
RACE  := $$(printf '%s\n' $(UNIT) | grep -vE '^$(MODULE)/($(ALONE))$$')

LINT  := $(GO) tool -modfile=tools/go.mod golangci-lint
BPF_C  = $(wildcard bpf/*.[ch] bpf/*/*.[ch])
# The console, and what it is made from.
CONSOLE         := ui/dist/app/index.html
CONSOLE_SOURCES := $(shell find ui/src ui/public -type f) ui/index.html ui/vite.config.ts ui/package-lock.json
TEST  := $(GO) test -count=1 -timeout=20m

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build image demo run man check test test-unit race lint fmt generate generate-check cross \
	check-console e2e-console check-health \
	cluster-up cluster-down \
	check-kernels generate-kernels e2e-kubernetes \
	bench-capture bench-store fuzz soak clean root

help: ## list these commands
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Use

build: setup-build $(CONSOLE) ## compile bin/seine, static
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/seine ./cmd/seine

image: setup-build $(CONSOLE) ## pack bin/seine-image.tar, an OCI image (IMAGE=name:tag ARCH="amd64 arm64" PUSH=-push)
	for arch in $(ARCH); do \
		GOARCH=$$arch $(GO) build -ldflags "-s -w -X main.version=$(VERSION)" -o bin/image/$$arch/usr/bin/seine ./cmd/seine || exit 1; \
	done
	SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || echo 0)) $(GO) run -C tools ./image $(PUSH) -name '$(IMAGE)' \
		-o '$(CURDIR)/bin/seine-image.tar' -user 65532:65532 -entrypoint /usr/bin/seine -env PATH=/usr/bin \
		$(foreach arch,$(ARCH),$(arch)='$(CURDIR)/bin/image/$(arch)')

# Without Node this says so, and the binary has a page in the console's place.
$(CONSOLE): $(CONSOLE_SOURCES)
	@scripts/console build

demo: setup-demo build ## run the miniature cluster and watch its connections (root; ARGS="...")
	bin/seine demo $(ARGS)

run: build ## watch this machine's connections (root; ARGS="...")
	bin/seine run $(ARGS)

cluster-up: root setup-cluster ## a real two-node Kubernetes cluster on this machine (root; test/cluster)
	test/cluster/up

cluster-down: root ## remove it
	test/cluster/down

man: build ## write manual pages to bin/man
	bin/seine man bin/man

## Change

# The tests of the host's own kernel are among those of `make test`.
check: MATRIX := -guests
check: root generate-check lint test race cross check-console e2e-console e2e-kubernetes check-kernels ## all that must hold before a change lands (root)

# Tests with real traffic run one package at a time: beside others they would wait for the processor, not the network.
test: root setup-test ## every test (root)
	$(TEST) $(UNIT)
	$(TEST) -p=1 $(REAL)

test-unit: setup-build ## the tests that need no root
	$(TEST) $(UNIT)

race: setup-test ## the same under the race detector, where goroutines share anything
	CGO_ENABLED=1 $(TEST) -race $(RACE)

lint: setup-test ## check style, import rules, licence headers and modules
	$(LINT) run ./...
	clang-format-19 --dry-run --Werror $(BPF_C)
	! grep -L 'SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0' $(BPF_C) | grep .
	$(GO) mod tidy -diff

check-console: setup-console ## types, style and unit tests of the web console
	scripts/console check

e2e-console: root setup-console build ## the web console in a headless browser, on the demo's cluster (root)
	scripts/console e2e

check-health: root setup-demo ## seine health on every fault of the demo, some minutes; make test has the three clearest (root)
	SEINE_EVERY_FAULT=1 $(TEST) -v -run='^TestHealthOfDemo$$' ./cmd/seine

check-kernels: root setup-kernels ## the kernel matrix in virtual machines (root; KERNEL=6.1 RUN=TestNAT)
	$(GO) run ./test/kernels $(MATRIX) -kernel='$(KERNEL)' -run='$(RUN)'

# The image is this machine's alone, and named as the tests have it.
e2e-kubernetes: root setup-cluster ## install on a real cluster and find its connections there (root; RUN=TestChart)
	$(MAKE) --no-print-directory image IMAGE=localhost/seine:e2e ARCH=$(shell $(GO) env GOARCH)
	ln -f bin/image/$(shell $(GO) env GOARCH)/usr/bin/seine bin/kubectl-seine
	$(GO) build -modfile=tools/go.mod -o bin/helm helm.sh/helm/v4/cmd/helm
	$(GO) test -tags=e2e -count=1 -timeout=20m -v -run='$(RUN)' ./test/kubernetes

fmt: setup-test ## format Go and C
	$(LINT) fmt ./...
	clang-format-19 -i $(BPF_C)

generate: setup-test ## rebuild what is generated and committed: BPF objects, reference documents
	$(GO) generate ./...

generate-kernels: root setup-kernels ## renew docs/reference/kernels.md, in virtual machines (root)
	$(GO) run ./test/kernels -run='^TestVerifier' -write

generate-check: setup-test ## fail if generate would change a file
	scripts/check-diff

cross: setup-build ## compile for the architectures that we do not test on
	GOARCH=arm64 $(GO) build -o /dev/null ./cmd/seine

## Measure

bench-capture: root setup-demo ## cost per packet and per eviction, to docs/reference/benchmarks.md (root)
	$(GO) run ./internal/capture/benchreport

bench-store: setup-build ## the store with 10 million records, beside SQLite, to docs/reference/benchmarks-store.md
	$(GO) run ./internal/store/benchreport -o docs/reference/benchmarks-store.md

fuzz: root setup-test ## every fuzz target, FUZZTIME=30s each (root)
	scripts/fuzz $(FUZZTIME)

soak: root setup-test ## churn for SOAK=10m and watch memory, descriptors and losses (root)
	SEINE_SOAK=$(SOAK) $(GO) test -count=1 -timeout=0 -v -run='^TestSoak$$' ./internal/agent

clean: ## remove what build made
	rm -rf bin ui/dist/app

# Installs what a job needs, if anything is missing.
setup-%:
	@scripts/setup $*

root:
	@[ "$$(id -u)" = 0 ] || { echo "this needs root, for network namespaces and BPF; make test-unit does not" >&2; exit 1; }
