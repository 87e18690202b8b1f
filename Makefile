# Assay: one Makefile for everything. `make help` lists the targets.

# ---- variants: debug, release, asan, cov, fuzz ----

VARIANT ?= debug
BUILD := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wundef -Wcast-align -Wformat=2 -Wswitch-enum
ifdef CI
WARNINGS += -Werror
endif

CC ?= cc
CFLAGS_debug   := -O1 -g
CFLAGS_release := -O3 -g -DNDEBUG
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_cov     := -O0 -g --coverage
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_cov    := --coverage
LDFLAGS_fuzz   := -fsanitize=address,undefined

ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS_$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

# ---- layers ----

# Layers, each a folder and an archive, and what they are linked with. ARCHITECTURE.md says what they may include.
LAYERS := core base net compiler libclient ref-server conformance link sim cli
uses_core        :=
uses_base        :=
uses_net         := core
uses_compiler    := core
uses_libclient   := net core
uses_ref-server  := net base core
uses_conformance := compiler net base core
uses_link        := net base core
uses_sim         := link net compiler base core
uses_cli         := sim link conformance ref-server libclient compiler net base core

# System libraries: of a layer, and of a set of layers.
syslibs_compiler    := -lyaml
syslibs_ref-server  := -lcrypt -lsqlite3 -pthread
syslibs_conformance := -lcjson
syslibs = $(foreach l,$(1),$(syslibs_$(l)))

# ---- how things are built ----

# Commands are told in a word; `make V=1` shows them whole.
tell = $(if $(V),,@echo '  $(1)$(2)' &&)

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
	$(call tell,CC    ,$@) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define layer
src_$(1) := $$(filter-out cli/main.c,$$(wildcard $(1)/*.c))
$(BUILD)/lib$(1).a: $$(src_$(1):%.c=$(BUILD)/%.o)
	@rm -f $$@
	$$(call tell,AR    ,$$@) ar rcs $$@ $$^

tests_$(1) := $$(patsubst %.c,$(BUILD)/%,$$(wildcard $(1)/tests/*_test.c))
helpers_$(1) := $$(patsubst %.c,$(BUILD)/%.o,$$(filter-out %_test.c,$$(wildcard $(1)/tests/*.c)))
$$(tests_$(1)): $(BUILD)/%: $(BUILD)/%.o $$(helpers_$(1)) $(BUILD)/lib$(1).a $$(foreach l,$$(uses_$(1)),$(BUILD)/lib$$(l).a)
	$$(call tell,LINK  ,$$@) $$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(call syslibs,$(1) $$(uses_$(1))) -lcmocka
test-$(1): $$(tests_$(1):%=run-%)
DEPS += $$(src_$(1):%.c=$(BUILD)/%.d) $$(tests_$(1):%=%.d) $$(helpers_$(1):%.o=%.d)
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

# Each test program is a target of its own, so that `make -j2 -O unit` runs them side by side.
runs := $(foreach l,$(LAYERS),$(tests_$(l):%=run-%))
$(runs): run-%: %
	@echo "== $<" && ./$<

$(BUILD)/assay: $(BUILD)/cli/main.o $(foreach l,cli $(uses_cli),$(BUILD)/lib$(l).a)
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,$(LAYERS))

# Python that generated clients carry, as numbers that a C array is made of.
$(BUILD)/compiler/%.inc: compiler/%.py
	@mkdir -p $(@D)
	od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' > $@
$(BUILD)/compiler/python_text.o: $(patsubst %,$(BUILD)/compiler/python_%.inc,head runtime reliable)
$(BUILD)/compiler/python_text.o: ALL_CFLAGS += -I$(BUILD)

# ---- what users and CI call ----

demo: ## serve the bundled protocols, judge them, show the report
	@scripts/deps build
	@$(MAKE) --no-print-directory -j2 build/$(VARIANT)/assay examples
	@scripts/demo build/$(VARIANT)/assay build/$(VARIANT)/examples python3

test: ## all tests, after installing what they need
	@scripts/deps test
	@$(MAKE) --no-print-directory -j2 VARIANT=debug
	@scripts/test

deps: ## install what building and testing need (apt-get; sudo only when not root)
	@scripts/deps test

unit-build: $(foreach l,$(LAYERS),$(tests_$(l)))
unit: $(runs) ## all unit tests; test-LAYER: those of one

clean: ## remove everything built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-zA-Z_-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# ---- what watches the code and its tests ----

PYTHON = $(shell scripts/python)
VALGRIND := valgrind -q --leak-check=full --error-exitcode=9
# Those whose server a client can stop are started for each such case: too slow under valgrind.
served_as_one := spec/dispatch.yaml
# One whose server keeps rows is started for each case: a part of its suite is enough.
served_in_part := spec/pubsub.yaml
SERVED := $(wildcard spec/*.yaml)
served_in_part_with = FILTER='$(1)' PARAMS='--param first=200ms --param cap=400ms --param give_up=2s --param beat=1s --param lease=3s'
valgrind_layers := core base compiler libclient
# Of the server those that count neither on time nor on how much memory it takes.
valgrind_server := $(addprefix $(BUILD)/ref-server/tests/,embed_test logfile_test peers_test pool_test spool_test)

purity: $(BUILD)/libcore.a ## core needs no symbol outside an allow-list
	@sh core/tests/purity.sh $<

layers: ## includes are as ARCHITECTURE.md's table says; the engine names no protocol
	@scripts/layers

# One target for each program and for each spec, as of the unit tests.
valgrind_runs := $(patsubst %,valgrind-%,$(foreach l,$(valgrind_layers),$(tests_$(l))) $(valgrind_server))
$(valgrind_runs): valgrind-%: %
	@echo "== $@" && $(VALGRIND) $<

$(SERVED:%=valgrind-%): valgrind-%: % $(BUILD)/assay
	@echo "== $@" && $(if $(filter $<,$(served_in_part)),$(call served_in_part_with,pubsub/live/copies/the-rest)) \
	    scripts/served $(if $(filter $<,$(served_as_one)),--one) $(BUILD)/assay $< $(VALGRIND) $(BUILD)/assay

valgrind: $(SERVED:%=valgrind-%) $(valgrind_runs) ## unit tests and a served suite under valgrind

$(SERVED:%=served-%): served-%: % $(BUILD)/assay
	@echo "== $@" && $(if $(filter $<,$(served_in_part)),$(call served_in_part_with,pubsub/live/lossy/*)) \
	    scripts/served $(BUILD)/assay $< $(BUILD)/assay
served: $(SERVED:%=served-%)

served-asan: ## the bundled suites against a server built with sanitizers
	@$(MAKE) --no-print-directory VARIANT=asan served

test-clients: $(BUILD)/assay $(BUILD)/libcompiler.a stage ## generated clients, assay call, examples
	ASSAY_BUILD=$(BUILD) $(PYTHON) -m pytest -q -n 2 libclient/tests

test-examples: examples $(BUILD)/assay ## the examples against each other, over bad lines
	ASSAY_BUILD=$(BUILD) $(PYTHON) -m pytest -q -n 2 examples/tests

test-judge: $(BUILD)/assay $(BUILD)/conformance/tests/runner_test ## assay test against right and wrong hosts over sockets
	ASSAY_BUILD=$(BUILD) $(PYTHON) -m pytest -q -n 3 conformance/tests
	conformance/tests/steady.sh 3 $(BUILD)/assay

# ---- fuzzing: one generic harness each for decoding, a session, peers over datagrams and the spec reader ----

HARNESSES  := spec decode session peers
FUZZ_SPECS ?= $(wildcard spec/*.yaml fuzz/specs/*.yaml)
TIME       ?= 60
fuzz_archives := $(foreach l,compiler core,$(BUILD)/lib$(l).a)

fuzz_shared := $(patsubst %,$(BUILD)/fuzz/%.o,target forge account)

$(HARNESSES:%=$(BUILD)/fuzz-%): $(BUILD)/fuzz-%: $(BUILD)/fuzz/fuzz_%.o $(fuzz_shared) $(fuzz_archives)
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(call syslibs,compiler)
$(HARNESSES:%=$(BUILD)/replay-%): $(BUILD)/replay-%: $(BUILD)/fuzz/fuzz_%.o $(fuzz_shared) $(BUILD)/fuzz/replay.o $(fuzz_archives)
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,compiler)
$(BUILD)/fuzz-seeds: $(BUILD)/fuzz/seeds.o $(BUILD)/fuzz/target.o $(fuzz_archives)
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,compiler)
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(wildcard fuzz/*.c))
# What looks on is nothing for the fuzzer to explore, and must be quick.
$(BUILD)/fuzz/account.o $(BUILD)/fuzz/forge.o: CFLAGS += $(if $(filter fuzz,$(VARIANT)),-fno-sanitize=fuzzer-no-link)

fuzz: ## fuzz every harness with every spec: TIME=60 seconds each, FUZZ_SPECS="my.yaml ..."
	@scripts/deps fuzz
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang $(HARNESSES:%=build/fuzz/fuzz-%) build/fuzz/fuzz-seeds
	@scripts/fuzz build/fuzz $(TIME) $(FUZZ_SPECS)

fuzz-replay: ## run the corpus and every crash found once more, under sanitizers, without libFuzzer
	@$(MAKE) --no-print-directory VARIANT=asan $(HARNESSES:%=build/asan/replay-%) build/asan/fuzz-seeds
	@scripts/fuzz-replay build/asan $(FUZZ_SPECS)

# ---- benchmarks ----

$(BUILD)/load_udp $(BUILD)/fanout: $(BUILD)/bench/loopback.o
$(BUILD)/load $(BUILD)/append $(BUILD)/load_udp $(BUILD)/fanout: $(BUILD)/%: $(BUILD)/bench/%.o
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^
$(BUILD)/hand_udp $(BUILD)/hand_fanout: $(BUILD)/hand_%: $(BUILD)/bench/hand_%.o
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^
$(BUILD)/hand_%: $(BUILD)/bench/hand_%.o $(BUILD)/bench/hand.o
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(wildcard bench/*.c))

$(BUILD)/core_bench: $(BUILD)/bench/core_bench.o $(BUILD)/core/tests/models.o $(BUILD)/libcore.a
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^

core-bench: ## nanoseconds a request in core alone
	@$(MAKE) --no-print-directory VARIANT=release build/release/core_bench
	@build/release/core_bench

$(BUILD)/lines: $(BUILD)/bench/lines.o $(BUILD)/libcompiler.a $(BUILD)/libcore.a
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,compiler)

lines-bench: ## what the length of a line of name=value text costs to read
	@$(MAKE) --no-print-directory VARIANT=release build/release/lines
	@build/release/lines bench/lines.yaml

$(BUILD)/sim_bench: $(BUILD)/bench/sim_bench.o $(foreach l,sim $(uses_sim),$(BUILD)/lib$(l).a)
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs,sim $(uses_sim))

sim-bench: ## what a simulated delivery costs, and all schedules of an exchange of 12 datagrams
	@$(MAKE) --no-print-directory VARIANT=release build/release/sim_bench
	@build/release/sim_bench sim/tests/specs/lockstep.yaml

link-bench: ## what `assay link` costs: PAIRS=5
	@$(MAKE) --no-print-directory VARIANT=release build/release/assay
	@python3 bench/link.py build/release --pairs $(or $(PAIRS),5)

udp-bench: ## `assay serve` over datagrams beside recvfrom and sendto: PAIRS=5 SECONDS=1
	@$(MAKE) --no-print-directory -j2 VARIANT=release $(patsubst %,build/release/%,assay load_udp hand_udp)
	@python3 bench/udp.py build/release --pairs $(or $(PAIRS),5) --seconds $(or $(SECONDS),1)

fanout-bench: ## lines stored and passed on to readers, beside recvfrom and sendto: PAIRS=5 SECONDS=2
	@$(MAKE) --no-print-directory -j2 VARIANT=release $(patsubst %,build/release/%,assay fanout hand_fanout)
	@python3 bench/fanout.py build/release spec/pubsub.yaml --pairs $(or $(PAIRS),5) --seconds $(or $(SECONDS),2)

store-bench: ## `assay serve` with many lines stored, beside few: ROWS=10000000 PAIRS=3 DATA=FOLDER (kept; 2 GB)
	@$(MAKE) --no-print-directory -j2 VARIANT=release $(patsubst %,build/release/%,assay fanout)
	@python3 bench/store.py build/release --rows $(or $(ROWS),10000000) --pairs $(or $(PAIRS),3) $(if $(DATA),--data $(DATA))

bench: ## `assay serve` beside hand-written servers, over streams and datagrams, and `assay sim`: PAIRS=5 SECONDS=1
	@scripts/deps bench
	@$(MAKE) --no-print-directory -j2 VARIANT=release $(patsubst %,build/release/%,assay load append hand_candy hand_msglog)
	@python3 bench/run.py build/release --pairs $(or $(PAIRS),5) --seconds $(or $(SECONDS),1)
	@$(MAKE) --no-print-directory sim-bench
	@$(MAKE) --no-print-directory udp-bench
	@$(MAKE) --no-print-directory fanout-bench

# ---- libassay, and installing ----

LIBASSAY_VERSION := $(shell sed -n 's/^.define ASSAY_VERSION "\(.*\)"$$/\1/p' libclient/assay.h)
LIBASSAY_SO      := libassay.so.$(firstword $(subst ., ,$(LIBASSAY_VERSION)))
PREFIX           ?= /usr/local
libassay_parts   := $(BUILD)/liblibclient.a $(BUILD)/libnet.a $(BUILD)/libcore.a

# One relocatable object: what is no public symbol becomes local, so that nothing of the inside can clash.
$(BUILD)/libassay.o: $(libassay_parts)
	ld -r -o $@ --whole-archive $(BUILD)/liblibclient.a --no-whole-archive $(BUILD)/libnet.a $(BUILD)/libcore.a
	objcopy --localize-hidden $@
$(BUILD)/libassay.a: $(BUILD)/libassay.o
	@rm -f $@
	$(call tell,AR    ,$@) ar rcs $@ $<
$(BUILD)/$(LIBASSAY_SO): $(BUILD)/libassay.o libclient/libassay.map
	$(call tell,LINK  ,$@) $(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(LIBASSAY_SO) -Wl,--version-script=libclient/libassay.map -Wl,-z,defs -o $@ $<
$(BUILD)/assay.pc: libclient/assay.pc.in FORCE
	@sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(LIBASSAY_VERSION)|' $< | cmp -s - $@ || \
	 sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(LIBASSAY_VERSION)|' $< > $@

# The server as a library, the same way; programs that embed it also link -lcrypt -lsqlite3 -pthread.
$(BUILD)/libassay-server.o: $(foreach l,ref-server net base core,$(BUILD)/lib$(l).a)
	ld -r -o $@ --whole-archive $^ --no-whole-archive
	objcopy --localize-hidden $@
$(BUILD)/libassay-server.a: $(BUILD)/libassay-server.o
	@rm -f $@
	$(call tell,AR    ,$@) ar rcs $@ $<
$(BUILD)/assay-server.pc: ref-server/assay-server.pc.in FORCE
	@sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(LIBASSAY_VERSION)|' $< | cmp -s - $@ || \
	 sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(LIBASSAY_VERSION)|' $< > $@

lib: $(BUILD)/libassay.a $(BUILD)/$(LIBASSAY_SO) $(BUILD)/libassay-server.a ## build libassay, static and shared, and libassay-server

install-lib: lib $(BUILD)/assay.pc $(BUILD)/assay-server.pc
	install -d $(DESTDIR)$(PREFIX)/include/assay $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 libclient/assay.h $(DESTDIR)$(PREFIX)/include/assay.h
	install -m 644 ref-server/assay_server.h $(DESTDIR)$(PREFIX)/include/assay_server.h
	install -m 644 core/model.h $(DESTDIR)$(PREFIX)/include/assay/model.h
	install -m 644 $(BUILD)/libassay.a $(DESTDIR)$(PREFIX)/lib/libassay.a
	install -m 644 $(BUILD)/libassay-server.a $(DESTDIR)$(PREFIX)/lib/libassay-server.a
	install -m 755 $(BUILD)/$(LIBASSAY_SO) $(DESTDIR)$(PREFIX)/lib/$(LIBASSAY_SO)
	ln -sf $(LIBASSAY_SO) $(DESTDIR)$(PREFIX)/lib/libassay.so
	install -m 644 $(BUILD)/assay.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/assay.pc
	install -m 644 $(BUILD)/assay-server.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/assay-server.pc

install: ## install program and library: PREFIX=/usr/local DESTDIR=
	@$(MAKE) --no-print-directory VARIANT=release install-all

install-all: install-lib $(BUILD)/assay
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/assay/spec
	install -m 755 $(BUILD)/assay $(DESTDIR)$(PREFIX)/bin/assay
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	scripts/man $(BUILD)/assay > $(BUILD)/assay.1
	install -m 644 $(BUILD)/assay.1 $(DESTDIR)$(PREFIX)/share/man/man1/assay.1
	install -m 644 cli/assay.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/assay
	install -m 644 spec/LANGUAGE.md spec/assay.schema.json $(wildcard spec/*.yaml) $(DESTDIR)$(PREFIX)/share/assay/spec

# The installed library as users get it, in a folder of the build.
$(BUILD)/stage/lib/libassay.a: $(BUILD)/libassay.a $(BUILD)/$(LIBASSAY_SO) $(BUILD)/libassay-server.a libclient/assay.h \
        ref-server/assay_server.h core/model.h libclient/assay.pc.in ref-server/assay-server.pc.in
	@$(MAKE) --no-print-directory install-lib PREFIX=$(abspath $(BUILD)/stage) DESTDIR=

stage: $(BUILD)/stage/lib/libassay.a

# ---- examples: applications on generated clients, built against the installed library as a user would ----

EXAMPLES := $(patsubst examples/%.c,%,$(wildcard examples/*.c)) \
            $(filter-out pubsub shared,$(sort $(patsubst examples/%/,%,$(dir $(wildcard examples/*/*.c)))))
spec_candy_many := candy
spec_signal     := dispatch
libs_relay      := -l:libassay-server.a -lcrypt -lsqlite3 -pthread
# What has options shares how they are read.
shared_dispatch := examples/shared/options.c
shared_relay    := examples/shared/options.c
shared_signal   := examples/shared/options.c
spec_of = $(or $(spec_$(1)),$(1))

$(BUILD)/generated/%.c: spec/%.yaml $(BUILD)/assay
	@mkdir -p $(@D)
	$(call tell,GEN   ,$@) $(BUILD)/assay gen c $< -o $(@D) > $(BUILD)/generated/log

define example
$(BUILD)/examples/$(1): $(wildcard examples/$(1).c examples/$(1)/*.c) $(shared_$(1)) $(shared_$(1):.c=.h) $(BUILD)/generated/$(call spec_of,$(1)).c $(BUILD)/stage/lib/libassay.a
	@mkdir -p $$(@D)
	$$(call tell,CC    ,$$@) $$(CC) -std=c11 -D_GNU_SOURCE $$(WARNINGS) -O2 -g -I$(BUILD)/generated -I$(BUILD)/stage/include \
	    -o $$@ $$(filter %.c,$$^) -L$(BUILD)/stage/lib -l:libassay.a $$(libs_$(1))
endef
$(foreach e,$(EXAMPLES),$(eval $(call example,$(e))))

# pubsub: several programs, which share the rest of their folder.
PUBSUB      := reader writer chat
PUBSUB_REST := $(filter-out $(PUBSUB:%=examples/pubsub/%.c),$(wildcard examples/pubsub/*.c)) examples/shared/options.c
libs_chat   := -ledit
$(PUBSUB:%=$(BUILD)/examples/pubsub/%): $(BUILD)/examples/pubsub/%: examples/pubsub/%.c $(PUBSUB_REST) \
        examples/pubsub/app.h examples/shared/options.h $(BUILD)/generated/pubsub.c $(BUILD)/stage/lib/libassay.a
	@mkdir -p $(@D)
	$(call tell,CC    ,$@) $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O2 -g -I$(BUILD)/generated -I$(BUILD)/stage/include \
	    -o $@ $(filter %.c,$^) -L$(BUILD)/stage/lib -l:libassay.a $(libs_$*)

examples: $(EXAMPLES:%=$(BUILD)/examples/%) $(PUBSUB:%=$(BUILD)/examples/pubsub/%) ## build the examples

.PHONY: all FORCE demo test deps unit-build unit clean help purity layers valgrind served served-asan test-clients test-examples test-judge \
        fuzz fuzz-replay examples core-bench lines-bench sim-bench link-bench udp-bench fanout-bench store-bench bench lib install install-lib install-all stage $(LAYERS:%=test-%)
-include $(sort $(DEPS)) $(BUILD)/cli/main.d
