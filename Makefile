# One Makefile, not recursive.  Everything made goes to $(BUILD).
#   make                       the programs
#   make demo                  install what is missing, build, run a real plan, show what happened
#   make check                 install what is missing, run every test
#   make SANITIZE=address,undefined check
#   make CC=clang

BUILD    ?= build
CC       ?= cc
CSTD     := -std=gnu17
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
            -Wvla -Wformat=2 -Wundef
WERROR   ?= -Werror
OPT      ?= -O2 -g
SANITIZE ?=
VERSION  := 0.1.0
Q        := $(if $(V),,@)# V=1 shows every command

PKGS     := jansson yaml-0.1 libpcre2-8 nettle
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
TAR_LIBS   := $(shell pkg-config --libs libarchive 2>/dev/null)# of creel alone
HTTP_LIBS   = $(shell pkg-config --libs zlib libcrypto 2>/dev/null)
WIRE_LIBS   = $(shell pkg-config --libs libcurl libssl jansson libcrypto 2>/dev/null)# of creel-http-wire alone

CPPFLAGS += -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 -DCREEL_VERSION='"$(VERSION)"'
ALL_CFLAGS = $(CSTD) $(OPT) $(WARN) $(WERROR) -fno-common -fstack-protector-strong \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
             $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pthread $(LDFLAGS)

comma := ,

# What is made, from what lies there: a layer is a directory, a program too.
lib_src   := $(foreach d,base model codec core store,$(sort $(wildcard src/$(d)/*.c)))
lib_obj   := $(lib_src:%.c=$(BUILD)/%.o) $(BUILD)/gen/schemas.o
creeld_obj := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/creeld/*.c)))
creel_obj  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard src/creel/*.c)))
run_src    := $(sort $(wildcard src/creel-run/*.c)) $(patsubst %,src/base/%.c,mem buf clock fs err text log)
run_obj    := $(patsubst %.c,$(BUILD)/run/%.o,$(run_src))
# creel-http decides and records; creel-http-wire alone has libcurl and the connections.
wire_src   := $(sort $(wildcard src/actions/http/wire_*.c))
wire_obj   := $(patsubst %.c,$(BUILD)/%.o,$(wire_src) src/actions/http/address.c src/actions/http/frame.c src/actions/common/executor.c)
http_obj   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(filter-out $(wire_src),$(wildcard src/actions/common/*.c src/actions/http/*.c))))
http_main  := $(BUILD)/src/actions/http/main.o
unit_src  := $(sort $(wildcard tests/unit/test_*.c tests/core/test_*.c))
unit_bin  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(unit_src))
programs  := $(patsubst src/%/main.c,$(BUILD)/%,$(wildcard src/creeld/main.c src/creel/main.c src/creel-run/main.c)) \
	     $(patsubst src/actions/%/main.c,$(BUILD)/creel-%,$(wildcard src/actions/*/main.c)) $(BUILD)/creel-http-wire
schemas   := $(sort $(wildcard schemas/*.json))

.PHONY: all
all: $(programs)

$(BUILD)/libcreel.a: $(lib_obj)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/creeld: $(creeld_obj) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -linotifytools $(PKG_LIBS) -lm
$(BUILD)/creel: $(creel_obj) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TAR_LIBS) $(PKG_LIBS) -lm
# The supervisor is started once per attempt and needs nothing but libc.  With musl an empty program starts in a
# quarter of the time that it takes with a static glibc, which looks the processor over first; where musl is not
# installed, or the compiler is not gcc, it is the usual libc.  The kernel's headers are lent to musl by links.
MUSL := $(if $(SANITIZE),,$(if $(filter cc gcc,$(CC)),$(shell command -v musl-gcc)))
RUN_CC := $(or $(MUSL),$(CC))
kernel_headers := $(BUILD)/kernel-headers
RUN_CFLAGS = $(filter-out $(PKG_CFLAGS),$(ALL_CFLAGS)) $(if $(MUSL),-isystem $(kernel_headers))
$(BUILD)/creel-run: $(run_obj)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(RUN_CC) $(if $(MUSL),$(LDFLAGS) -Wl$(comma)-z$(comma)noseparate-code,$(ALL_LDFLAGS)) $(if $(SANITIZE),,-static) -o $@ $^
$(BUILD)/run/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  RUN  $<")
	$(Q)$(RUN_CC) -Isrc -D_GNU_SOURCE $(RUN_CFLAGS) -MMD -MP -c -o $@ $<
$(run_obj): | $(kernel_headers)
$(kernel_headers):
	@mkdir -p $@
	@ln -sfn /usr/include/linux $@/linux
	@ln -sfn /usr/include/asm-generic $@/asm-generic
	@ln -sfn /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)/asm $@/asm

# An executor is a program of its own.
$(BUILD)/creel-http: $(http_obj) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(HTTP_LIBS) $(PKG_LIBS) -lm

$(BUILD)/creel-http-wire: $(wire_obj) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(WIRE_LIBS) -lm

$(BUILD)/libcreel-http.a: $(filter-out $(http_main),$(http_obj))
	@rm -f $@
	@ar rcs $@ $^
$(BUILD)/tests/unit/test_http_%: $(BUILD)/tests/unit/test_http_%.o $(BUILD)/libcreel-http.a $(BUILD)/libcreel.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(HTTP_LIBS) $(PKG_LIBS) -lm
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libcreel.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(TAR_LIBS) $(PKG_LIBS) -lm

# A machine that fails where a test wants it to: preloaded into a program that is tested.
$(BUILD)/tests/failing.so: tests/e2e/failing.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CSTD) -O1 $(WARN) -D_GNU_SOURCE -shared -fPIC -o $@ $< -ldl

$(BUILD)/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/.flags
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The schemas are compiled in: one table of name and text.
$(BUILD)/gen/schemas.c: $(schemas) contrib/embed-schemas.sh
	@mkdir -p $(@D)
	$(if $(V),,@echo "  GEN  $@")
	$(Q)sh contrib/embed-schemas.sh $(schemas) > $@.tmp && mv $@.tmp $@

# Objects are made again when the compiler or its flags change.
$(BUILD)/.flags: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(CC) $(subst ','\'',$(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)) $(RUN_CC)' | cmp -s - $@ || \
	 printf '%s\n' '$(CC) $(subst ','\'',$(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)) $(RUN_CC)' > $@
.PHONY: FORCE
FORCE:
.SECONDARY:

# ---- what it takes ----

# Debian packages that are missing are installed; nothing is asked of apt when none is.
.PHONY: deps
deps:
	@sh contrib/install-packages.sh contrib/packages.txt

# ---- tests ----

export BUILD
export CREEL_TESTS := $(CURDIR)/tests
bats_files := $(sort $(wildcard tests/e2e/*.bats))

.PHONY: check check-unit check-e2e check-layers check-schemas lint
check: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory check-layers lint check-unit check-schemas check-fuzz check-sim check-e2e check-fault-sample
	@echo "all tests passed"

check-unit: $(unit_bin) $(BUILD)/creel-run
	@for t in $(unit_bin); do echo "== $$t"; $$t || exit 1; done

check-e2e: all $(BUILD)/tests/failing.so
	@bash tests/e2e/run.sh $(bats_files)

# plan.json and state.json under the schemas of the source document, by zod.
check-schemas: all
	@sh tests/zod/run.sh

# What survives crashes, power cuts and failing calls: tests/fault/README.md.  The sample is part of check; all of it
# takes most of an hour.
fault_tools := $(patsubst tests/fault/%.c,$(BUILD)/fault/%,$(sort $(wildcard tests/fault/*.c))) \
	       $(BUILD)/fault/clock/creeld $(BUILD)/fault/clock/creel-run $(BUILD)/fault/lie.so
.PHONY: check-fault check-fault-sample fault-tools
fault-tools: $(fault_tools)
$(BUILD)/fault/%: tests/fault/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  TOOL $<")
	$(Q)$(CC) $(CSTD) -D_GNU_SOURCE -O1 -g $(WARN) $(WERROR) -static -o $@ $<
# Preloaded: a daemon that loses calls.
$(BUILD)/fault/lie.so: tests/fault/lie/lie.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  TOOL $<")
	$(Q)$(CC) $(CSTD) -D_GNU_SOURCE -O1 -g -fPIC -shared $(WARN) $(WERROR) -o $@ $<
# creeld and creel-run with a wall clock of their own that can be set.
jump_wraps := clock_gettime fstat stat fstatat
JUMP_LINK   = $(CC) $(ALL_LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(jump_wraps)) -o $@ $^
$(BUILD)/fault/clock/creeld: $(creeld_obj) $(BUILD)/tests/fault/clock/jump.o $(BUILD)/libcreel.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(JUMP_LINK) -linotifytools $(PKG_LIBS) -lm
$(BUILD)/fault/clock/creel-run: $(run_src:%.c=$(BUILD)/%.o) $(BUILD)/tests/fault/clock/jump.o
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(JUMP_LINK)

check-fault-sample: all fault-tools $(BUILD)/tests/sim/sim
	@python3 tests/fault/sweep.py --sample

check-fault: deps
	@sh contrib/install-packages.sh contrib/packages-fault.txt
	$(Q)$(MAKE) --no-print-directory all fault-tools $(BUILD)/tests/sim/sim fuzz-programs
	@python3 tests/fault/sweep.py $(if $(JOBS),--jobs $(JOBS)) --readme tests/fault/README.md

check-layers:
	@sh contrib/check-layers.sh

lint:
	@sh tests/lint/run.sh

# ---- benchmarks: tests/bench/README.md ----

bench_bin := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))

$(BUILD)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h) $(BUILD)/.flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -static -o $@ $<

.PHONY: bench bench-all bench-kill bench-scale bench-programs bench-quick
bench-programs: deps
	$(Q)$(MAKE) --no-print-directory all $(bench_bin)

# creel, ninja, the bare loop and the floor only.  make bench-quick SHAPES=chain ROUNDS=3
bench-quick: bench-programs
	@bash tests/bench/quick.sh $(SHAPES)

# HTTP attempts with a connection of their own and with a shared one, beside nginx.
.PHONY: bench-http
bench-http: all
	@command -v nginx >/dev/null || sh contrib/install-packages.sh contrib/packages-bench.txt
	@/usr/bin/python3 tests/bench/http.py $(BUILD)

# Everything that creel is compared to, and then the tables and plots of tests/bench/README.md anew.
bench: bench-programs
	@bash tests/bench/bench.sh

# What creel and its peers keep when the scheduler is killed.
bench-kill: bench-programs
	@bash tests/bench/kill.sh

# How the cost grows with plans, with what waits, with what ended.
bench-scale: bench-programs
	@bash tests/bench/scale.sh

# All three, one after the other: nothing else should run beside them.
bench-all: bench-programs
	@bash tests/bench/kill.sh
	@bash tests/bench/bench.sh
	@bash tests/bench/scale.sh

# ---- fuzzing and simulation ----

include tests/fuzz/fuzz.mk tests/sim/sim.mk

# ---- use ----

.PHONY: demo install
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	@sh contrib/demo.sh $(BUILD)

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/creel/schemas
	install -m 755 $(programs) $(DESTDIR)$(PREFIX)/bin
	install -m 644 schemas/*.json $(DESTDIR)$(PREFIX)/share/creel/schemas
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 contrib/completions/creel.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/creel
	sed 's|/usr/local|$(PREFIX)|g' contrib/systemd/creeld.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/creeld.service
	for s in 1 5 7 8; do install -m 644 man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s; done

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
