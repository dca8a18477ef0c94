# Two commands matter: `make up` (a cluster with the demo web application) and `make test`.
# Build folders: build-release, build-debug, build-asan, build-tsan, build-fuzz, build-clang; `make build-asan` makes one.
JOBS ?= $(shell nproc)
BUILD ?= build-release
DEMO_FLAGS ?=

.PHONY: all
all: $(BUILD)

# ---- builds -----------------------------------------------------------------

SETUP_build-release = --buildtype=release -Doptimization=2
SETUP_build-debug = --buildtype=debug
SETUP_build-asan = --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
SETUP_build-tsan = --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
SETUP_build-fuzz = --buildtype=debugoptimized -Dfuzz=true
SETUP_build-clang = --buildtype=release -Doptimization=2
build-clang/build.ninja build-fuzz/build.ninja: export CC = clang-14

BUILDS = build-release build-debug build-asan build-tsan build-fuzz build-clang
.PHONY: $(BUILDS)
$(BUILDS): %: %/build.ninja
	ninja -C $@ -j $(JOBS) --quiet

.PRECIOUS: %/build.ninja
%/build.ninja:
	meson setup $(SETUP_$*) $* >/dev/null || { cat $*/meson-logs/meson-log.txt; rm -rf $*; exit 1; }

.PHONY: asan tsan fuzz
asan tsan: %: build-%
	meson test -C build-$* --no-rebuild --suite unit --suite fuzz
fuzz: build-fuzz
	tools/run_tests.py fuzz --seconds 60

# ---- the cluster --------------------------------------------------------------

.PHONY: packages
packages:
	@tools/packages.py $(GROUPS)

.PHONY: up
up: GROUPS = build run demo
up: packages
	@$(MAKE) --no-print-directory $(BUILD)
	@demo/demo.py up --build $(BUILD) $(DEMO_FLAGS)

.PHONY: down
down:
	@demo/demo.py down --build $(BUILD) $(DEMO_FLAGS)

# ---- proofs -------------------------------------------------------------------

.PHONY: test
test:
	@tools/run_tests.py

.PHONY: bench
bench: $(BUILD)
	@tests/bench/run.py --build $(BUILD) $(BENCH_FLAGS)

.PHONY: check
check: GROUPS = build check
check: packages
	@$(MAKE) --no-print-directory $(BUILD)
	@tools/check.py --build $(BUILD)

.PHONY: clean
clean:
	rm -rf $(BUILDS)
