# `make up` and `make test` are the two to know. Build caches live outside the checkout.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(HOME)/.cache/cumulet/target
CUMULET := $(CARGO_TARGET_DIR)/release/cumulet
CLUSTER ?= yes

.PHONY: up down destroy test chaos tempest compatibility e2e bench lint packages build

## Build, start the cloud, make the images and the cluster `demo`. CLUSTER=no stops after the cloud.
up: build
	$(CUMULET) up
	$(CUMULET) image build tiny --upload
ifneq ($(CLUSTER),no)
	$(CUMULET) image build node --upload
	$(CUMULET) cluster create demo
endif

## Stop the cloud; its data stays.
down:
	$(CUMULET) down

## Remove the cloud and all its data.
destroy:
	$(CUMULET) destroy --yes

build: packages
	cargo build --release --locked -p cumulet

## Missing Debian packages, by name.
packages:
	./scripts/packages

## Format, clippy, and who may import whom.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo run -q --locked -p xtask -- layers

## Unit and golden tests, the whole cloud over the fake host, and the kernel suite with real clients.
test: packages
	cargo test --workspace --locked
	./scripts/kernel-suite

## Hundreds of kill -9 of the daemon at random moments; `make test` has twenty of them.
chaos: build
	./scripts/chaos

## OpenStack's own tests: SUITE=smoke (or identity, image, network, compute, volume, scenario, keystone, glance, neutron).
SUITE ?= smoke
tempest: build
	./scripts/tempest $(SUITE)

## docs/compatibility.md from the last run of each suite.
compatibility:
	./scripts/tempest document

## A real Kubernetes cluster on the cloud, and off again. PARTS="nodes network" for some of its journeys.
e2e: build
	./scripts/e2e $(PARTS)

## Figures, not a test: see docs/measurements.md.
bench: build
	./scripts/bench
