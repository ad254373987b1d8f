# make demo and make test are the two commands that a newcomer needs.

BIN       := bin
GO        ?= go
CATALOGUE ?=
CLOUD     ?=
FUZZTIME  ?= 5000x
PACKAGES  := ./...
FAULTS    := ./stock/journal ./node/shopfloor ./cloud
BROWSER   := ./internal/look ./cloud/storefront ./cloud/dashboard ./node/kiosk ./firmware-sim/demo/console

export GOFLAGS += -buildvcs=false

.PHONY: demo demo-reset build test check tools gen gen-check vet race browser peer faults fuzz journey drills former \
	chaos-short chaos fleet mutants bench long clean

## demo: a cloud (CLOUD=3: of three processes) and three stores on this machine; Ctrl-C stops them
demo: build
	$(BIN)/holdfast-sim demo $(if $(CATALOGUE),--catalogue $(CATALOGUE)) $(if $(CLOUD),--cloud $(CLOUD))

## demo-reset: forget what the demo has kept
demo-reset: build
	$(BIN)/holdfast-sim reset

## build: the three programs, static, into bin/
build:
	CGO_ENABLED=0 $(GO) build -tags timetzdata -trimpath -ldflags "-s -w" -o $(BIN)/ \
		./node/cmd/holdfast-node ./cloud/cmd/holdfast-cloud ./firmware-sim/cmd/holdfast-sim

## test: everything; installs what it needs on Debian
test: tools vet gen-check race browser peer faults fuzz journey drills chaos-short fleet
	@echo "all tests passed"

## check: what every commit should pass, in under three minutes
check: vet
	$(GO) test -short $(PACKAGES)

tools:
	deploy/test-tools

vet:
	$(GO) vet $(PACKAGES)
	$(GO) vet -tags browser $(BROWSER)
	$(GO) vet -tags peer ./firmware-sim/printer
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

## gen: the Go code and OpenAPI files of proto/
gen:
	$(GO) run ./proto/gen

gen-check: gen
	git diff --exit-code -- proto

race:
	$(GO) test -race -timeout 20m $(PACKAGES)

## browser: the pages in a real browser
browser:
	$(GO) test -count=1 -timeout 10m -tags browser $(BROWSER)

## faults: power cuts, and death at every write, on file systems of their own (needs root)
faults:
	$(GO) test -count=1 -timeout 20m -tags faults -run 'PowerCut|EveryWrite|EveryError|FullDisk' $(FAULTS)

## peer: receipts of other people's encoders, and their readers on our codes
peer:
	$(GO) test -count=1 -timeout 5m -tags peer -run Other ./firmware-sim/printer

## fuzz: every fuzz target for FUZZTIME runs (a time instead of a count can end in a spurious "deadline exceeded")
fuzz:
	@set -e; for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			echo "fuzz $$(dirname $$file) $$target"; \
			$(GO) test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
		done; done

## journey: the acceptance journey with the real programs; again with a cloud of three, whose leader is killed
journey: build
	$(BIN)/holdfast-sim demo --once --json
	$(BIN)/holdfast-sim demo --once --json --cloud 3

## drills: disks, boxes and clouds are lost and brought back, with the real programs
drills: build former
	$(BIN)/holdfast-sim drills --json

## chaos-short: real processes are broken for a while, and the power is cut, under load (needs root)
chaos-short: build
	$(BIN)/holdfast-sim chaos --members 1 --scenario short --length 20s --cuts 100 --json
	$(BIN)/holdfast-sim chaos --members 3 --scenario short --length 35s --json

## chaos: every scenario with 1, 3 and 5 members, lost packets, and power cuts (an hour; needs root)
chaos: build
	$(BIN)/holdfast-sim chaos --members 1
	$(BIN)/holdfast-sim chaos --members 1 --cuts 100
	$(BIN)/holdfast-sim chaos --members 3
	$(BIN)/holdfast-sim chaos --members 3 --cuts 100
	$(BIN)/holdfast-sim chaos --members 3 --netns --scenario splits,line,leaders,followers,kills
	$(BIN)/holdfast-sim chaos --members 5 --scenario leaders,splits,rejoin,kills

## fleet: 10,000 seeds of stores and their cloud, everything broken that can break
fleet: build
	$(BIN)/holdfast-sim fleet --seeds 1..10000

## mutants: the simulator must notice every deliberate mistake; writes the page about them (a quarter of an hour)
mutants:
	$(GO) run ./firmware-sim/fleet/mutants --seeds 20000 --write

## former: the cloud of the version before, for the drill of an upgrade
former: build
	deploy/former $(BIN)/former

## bench: speed, as ratios to limits measured in the same run
bench: build
	$(BIN)/holdfast-sim bench
	$(GO) test -run '^$$' -bench . -benchmem ./stock/gtin ./stock/escrow ./hardware/receipt ./hardware/escpos \
		./hardware/barcode ./hardware/ssi ./hardware/evdev ./firmware-sim/scanner \
		./firmware-sim/fleet

## long: the journey ten times over, long fuzzing, and the model in its long form
long: build
	@set -e; for i in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/holdfast-sim demo --once --json > /dev/null; echo "journey $$i held"; done
	$(MAKE) fuzz FUZZTIME=300000x
	$(GO) test -run GoesWrong -timeout 4h ./stock/escrow/model -long

clean:
	rm -rf $(BIN)
