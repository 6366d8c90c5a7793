# The fuzz targets, for the Makefile: one file each, see fuzz.h.
#   make check-fuzz                            every input that is kept, once more; a part of make check
#   make fuzz SECONDS=60 [TARGET="plan run"]   libFuzzer, each target for so long, in turns

fuzz_src  := $(filter-out %/replay.c,$(sort $(wildcard tests/fuzz/*.c)))
fuzz_bin  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(fuzz_src))
fuzz_obj  := $(fuzz_bin:%=%.o) $(BUILD)/tests/fuzz/replay.o
$(fuzz_obj): CPPFLAGS += -I.
# libFuzzer brings its own main.
fuzz_main := $(if $(FUZZ),,$(BUILD)/tests/fuzz/replay.o)

$(BUILD)/tests/fuzz/spec: $(patsubst %,$(BUILD)/src/creel-run/%.o,spec mask)
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(fuzz_main) $(BUILD)/libcreel.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(BUILD)/libcreel.a $(PKG_LIBS) $(TAR_LIBS) -lm

.PHONY: check-fuzz fuzz fuzz-programs fuzz-targets fuzz-minimise
check-fuzz: $(fuzz_bin)
	@for t in $(fuzz_bin); do $$t tests/fuzz/corpus/$$(basename $$t) || exit 1; done

fuzz-targets: $(fuzz_bin)

SECONDS   ?= 60
TARGET    ?= $(notdir $(fuzz_bin))
make_fuzz := $(MAKE) --no-print-directory FUZZ=1 BUILD=$(BUILD)/fuzz CC=clang SANITIZE=address,undefined \
             CFLAGS=-fsanitize=fuzzer-no-link OPT='-O1 -g' fuzz-targets
fuzz-programs:
	@sh contrib/install-packages.sh contrib/packages-fuzz.txt
	$(Q)$(make_fuzz)
fuzz: fuzz-programs
	@sh tests/fuzz/run.sh $(BUILD)/fuzz $(SECONDS) $(TARGET)

# What the runs found goes into the corpora, as few and as short inputs as reach the same.
fuzz-minimise:
	$(Q)$(make_fuzz)
	@sh tests/fuzz/minimise.sh $(BUILD)/fuzz $(TARGET)
