# SPDX-License-Identifier: MIT
# A thin door to the CMake presets. `make help` says what there is.
#
# Each target first installs the Debian packages it lacks (packages.txt) when it may, or prints the line to type.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# What `make run` runs; any command will do: make run PROGRAM="perl -e 'print 1'". Python has an allocator of its own
# for small objects; PYTHONMALLOC=malloc makes each of them a block of malloc's.
PROGRAM ?= /usr/bin/python3 scripts/compile-standard-library.py

.DEFAULT_GOAL := all
.PHONY: all run test checked asan tsan clang fuzz lint bench install clean help packages-build packages-test packages-gate

all: packages-build ## build the libraries and the dam command into build/
	@cmake --preset release $(if $(wildcard build/CMakeCache.txt),,-DDAM_BUILD_TESTS=OFF) --log-level=WARNING
	@cmake --build --preset release --parallel $(JOBS)

run: all ## build, and run a real program on DAM with the summary at its end
	PYTHONMALLOC=malloc build/bin/dam run --stats -- $(PROGRAM)

test: packages-test ## build everything and pass all tests
	@cmake --preset release -DDAM_BUILD_TESTS=ON
	@cmake --build --preset release --parallel $(JOBS)
	@scripts/run-tests release $(CTEST_ARGS)

checked asan tsan clang: packages-test packages-gate ## the tests in another build (see CMakePresets.json)
	@cmake --preset $@
	@cmake --build --preset $@ --parallel $(JOBS)
	@scripts/run-tests $@ $(CTEST_ARGS)

fuzz: packages-build packages-gate ## a short run of the libFuzzer targets (fuzz/README.md)
	@cmake --preset fuzz
	@cmake --build --preset fuzz --parallel $(JOBS)
	@scripts/run-tests fuzz $(CTEST_ARGS)

lint: packages-test packages-gate ## shellcheck, cppcheck and clang-tidy over the tree
	@scripts/lint

bench: all packages-test ## count the instructions of the common way, DAM and the allocators installed
	bench/instructions.sh

install: all ## install under PREFIX (default /usr/local)
	cmake --install build --prefix $(PREFIX)

clean: ## remove all build directories
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z ]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "make %-26s %s\n", $$1, $$2 }'

packages-build:
	@scripts/install-packages build
packages-test:
	@scripts/install-packages build test
packages-gate:
	@scripts/install-packages gate
