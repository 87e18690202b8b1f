# Assay: one Makefile for everything. `make help` lists the targets.

VARIANT ?= debug
BUILD := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wundef -Wcast-align -Wformat=2 -Wswitch-enum
ifdef CI
WARNINGS += -Werror
endif

CC ?= cc
CFLAGS_debug   := -O1 -g
CFLAGS_release := -O2 -g -DNDEBUG
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_cov     := -O0 -g --coverage
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_cov    := --coverage

ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS_$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

# Layers, each a folder and an archive; a layer may use those named behind it.
LAYERS := core base net compiler libclient ref-server conformance cli
uses_core        :=
uses_base        :=
uses_net         := base core
uses_compiler    := base core
uses_libclient   := net base core
uses_ref-server  := net base core
uses_conformance := compiler net base core
uses_cli         := conformance ref-server libclient compiler net base core
syslibs_compiler := -lyaml
syslibs_ref-server := -lcrypt -pthread
syslibs_conformance := -lcjson

# every system library that a set of layers needs
syslibs = $(foreach l,$(1),$(syslibs_$(l)))

all: $(BUILD)/assay ## build the program

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# Objects depend on a stamp that changes when the flags do.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define layer
src_$(1) := $$(filter-out cli/main.c,$$(wildcard $(1)/*.c))
$(BUILD)/lib$(1).a: $$(src_$(1):%.c=$(BUILD)/%.o)
	@rm -f $$@
	ar rcs $$@ $$^

tests_$(1) := $$(patsubst %.c,$(BUILD)/%,$$(wildcard $(1)/tests/*_test.c))
helpers_$(1) := $$(patsubst %.c,$(BUILD)/%.o,$$(filter-out %_test.c,$$(wildcard $(1)/tests/*.c)))
$$(tests_$(1)): $(BUILD)/%: $(BUILD)/%.o $$(helpers_$(1)) $(BUILD)/lib$(1).a $$(foreach l,$$(uses_$(1)),$(BUILD)/lib$$(l).a)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(call syslibs,$(1) $$(uses_$(1))) -lcmocka
test-$(1): $$(tests_$(1)) ## unit tests of one layer
	@set -e; for t in $$(tests_$(1)); do echo "== $$$$t"; ./$$$$t; done
DEPS += $$(src_$(1):%.c=$(BUILD)/%.d) $$(tests_$(1):%=%.d) $$(helpers_$(1):%.o=%.d)
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

$(BUILD)/assay: $(BUILD)/cli/main.o $(foreach l,cli $(uses_cli),$(BUILD)/lib$(l).a)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,$(LAYERS))

# ---- fuzzing: one generic harness each for decoding, a session and the spec reader ----

HARNESSES  := spec decode session
FUZZ_SPECS ?= $(wildcard spec/*.yaml)
TIME       ?= 60
CFLAGS_fuzz  := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
fuzz_archives := $(foreach l,compiler base core,$(BUILD)/lib$(l).a)

$(HARNESSES:%=$(BUILD)/fuzz-%): $(BUILD)/fuzz-%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/target.o $(fuzz_archives)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(call syslibs,compiler)
$(HARNESSES:%=$(BUILD)/replay-%): $(BUILD)/replay-%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/target.o $(BUILD)/fuzz/replay.o $(fuzz_archives)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,compiler)
$(BUILD)/fuzz-seeds: $(BUILD)/fuzz/seeds.o $(BUILD)/fuzz/target.o $(fuzz_archives)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,compiler)
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(wildcard fuzz/*.c))

fuzz: ## fuzz every harness with every spec: TIME=60 seconds each, FUZZ_SPECS="my.yaml ..."
	@scripts/deps fuzz
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang $(HARNESSES:%=build/fuzz/fuzz-%) build/fuzz/fuzz-seeds
	@scripts/fuzz build/fuzz $(TIME) $(FUZZ_SPECS)

fuzz-replay: ## run the corpus and every crash found once more, under sanitizers, without libFuzzer
	@$(MAKE) --no-print-directory VARIANT=asan $(HARNESSES:%=build/asan/replay-%) build/asan/fuzz-seeds
	@scripts/fuzz-replay build/asan $(FUZZ_SPECS)

# ---- what watches the tests ----

VALGRIND := valgrind -q --leak-check=full --error-exitcode=9
valgrind_layers := core base compiler libclient

valgrind: $(BUILD)/assay $(foreach l,$(valgrind_layers),$(tests_$(l))) ## unit tests and a served suite under valgrind
	@set -e; for t in $(foreach l,$(valgrind_layers),$(tests_$(l))); do echo "== valgrind $$t"; $(VALGRIND) $$t; done
	@for spec in spec/*.yaml; do scripts/served $(BUILD)/assay $$spec $(VALGRIND) $(BUILD)/assay || exit 1; done

served-asan: ## the bundled suites against a server built with sanitizers
	@$(MAKE) --no-print-directory VARIANT=asan build/asan/assay
	@for spec in spec/*.yaml; do scripts/served $(BUILD)/assay $$spec build/asan/assay || exit 1; done

# ---- benchmarks ----

$(BUILD)/load: $(BUILD)/bench/load.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^
$(BUILD)/hand_%: $(BUILD)/bench/hand_%.o $(BUILD)/bench/hand.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(wildcard bench/*.c))

bench: ## `assay serve` beside hand-written servers of the same protocols: PAIRS=5 SECONDS=1
	@scripts/deps bench
	@$(MAKE) --no-print-directory -j2 VARIANT=release $(patsubst %,build/release/%,assay load hand_candy hand_msglog)
	@python3 bench/run.py build/release --pairs $(or $(PAIRS),5) --seconds $(or $(SECONDS),1)

# ---- what users and CI call ----

PYTHON = $(shell scripts/python)

demo: ## serve the bundled protocols, judge them, show the report
	@scripts/deps build
	@$(MAKE) --no-print-directory -j2 build/$(VARIANT)/assay
	@scripts/demo build/$(VARIANT)/assay

test: ## all tests, after installing what they need
	@scripts/deps test
	@$(MAKE) --no-print-directory -j2 VARIANT=debug
	@scripts/test

deps: ## install what building and testing need (apt-get; sudo only when not root)
	@scripts/deps test

unit: $(foreach l,$(LAYERS),test-$(l)) ## all unit tests

clean: ## remove everything built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-zA-Z_-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: all unit clean help fuzz fuzz-replay valgrind served-asan bench demo test deps FORCE
-include $(sort $(DEPS)) $(BUILD)/cli/main.d

purity: $(BUILD)/libcore.a ## core needs no symbol outside an allow-list
	@sh core/tests/purity.sh $<
.PHONY: purity
