# denoised: inference daemon for diffusion models.
#   make          the daemon at ./denoised        make demo     set up, run, show pictures
#   make test     set up and pass all tests       make golden GOLDEN=DIR   golden data alone
#   make lint     form, layers, clang-tidy        make bench    speed; make bench-peers: beside others
#   make fuzz     FUZZ_SECONDS for each fuzzer    make browser  the page in a real Chromium
#   make mutants  wrong formulas, put in on purpose, are found by tests    make weights   mixture, shapes, made again
# Variants: make SAN=address,undefined test, make SAN=thread test. Objects go to build/VARIANT. V=1 shows whole commands.
SAN     ?=
PREFIX  ?= /usr/local
DESTDIR ?=
GOLDEN  ?= tests/golden
ARGS    ?=
PARTS   ?=
FUZZ_SECONDS ?= 60
comma   := ,
VARIANT := $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
BUILD   ?= build/$(VARIANT)
BLAS    := /usr/lib/x86_64-linux-gnu/openblas-pthread

WARN := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes \
        -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Wundef -Wnull-dereference -Wswitch-enum \
        -Wimplicit-fallthrough
CFLAGS ?= -O2 -g
SANITIZE := $(if $(SAN),-O1 -fno-var-tracking -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
FLAGS  := -std=c11 -D_GNU_SOURCE -I. -isystem /usr/include/x86_64-linux-gnu/openblas-pthread -MMD -MP \
          -pthread -ffp-contract=off -fno-math-errno -fno-trapping-math $(WARN)
LINK   := -pthread -L$(BLAS) -Wl,-rpath,$(BLAS) $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
LDLIBS := -lmicrohttpd -luv -lcjson -lopenblas -lnettle -lpng -lz -lm

# Compiled more than once, for the baseline and for CPUs that can do more: one source, the same bits.
NATIVE        := $(wildcard core/nn/native_*.c) core/nn/panel_product.c core/nn/pointwise.c
ALSO_fma      := core/base/rng_normal.c core/base/math_sin_cos.c
FLAGS_fma     := -mavx2 -mfma -DFMA_BUILD
FLAGS_avx2    := -mavx2 -mfma -DAVX2_BUILD
FLAGS_avx512  := -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512 -DAVX512_BUILD
BUILDS        := fma avx2 avx512
WEB   := $(wildcard clients/web/*.html clients/web/*.js clients/web/*.css)

# Unit tests count allocations (tests/support/allocations.h).
WRAP  := $(foreach name,malloc calloc realloc aligned_alloc,-Wl,--wrap=$(name))

OBJ     = $(patsubst %.c,$(BUILD)/%.o,$(1))
SOURCES := $(wildcard core/*/*.c proto/*.c) $(filter-out server/main.c,$(wildcard server/*.c))
LIB     := $(BUILD)/libdenoised.a
TESTS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/test_*.c))
SUPPORT := $(BUILD)/libsupport.a
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES := $(call OBJ,$(wildcard tests/bench/*.c))
GOLDENS := $(call OBJ,$(wildcard tests/golden/*.c))

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
Q   := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-4s %s\n' $(1) $(2))

all: denoised
denoised: $(BUILD)/denoised
	$(Q)ln -sf $< $@
$(BUILD)/denoised: $(BUILD)/server/main.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LINK) $(LDLIBS)
$(LIB): $(call OBJ,$(SOURCES)) $(foreach b,$(BUILDS),$(patsubst %.c,$(BUILD)/%.$b.o,$(NATIVE) $(ALSO_$b))) $(BUILD)/web.o
$(SUPPORT): $(call OBJ,$(wildcard tests/support/*.c))
$(LIB) $(SUPPORT):
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(SUPPORT) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(SUPPORT) $(LINK) $(WRAP) $(LDLIBS) -lcmocka
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(SUPPORT) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=fuzzer -o $@ $^ $(LINK) $(LDLIBS)
$(BUILD)/golden: $(GOLDENS) $(LIB)
$(BUILD)/bench: $(BENCHES) $(LIB)
$(BUILD)/forward: $(call OBJ,tests/bench/peers/forward.c tests/bench/probe.c) $(LIB)
$(BUILD)/golden $(BUILD)/bench $(BUILD)/forward:
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(LINK) $(LDLIBS)
$(BUILD)/core/nn/%.o $(BUILD)/core/diffusion/%.o $(BUILD)/core/train/%.o: OPTIMISE := -O3
# Or clang takes a minute for each of these; `address` looks for overflow there.
$(BUILD)/core/nn/%.o: UNROLLED := $(if $(findstring fuzzer,$(SAN)),-fno-sanitize=pointer-overflow -mllvm -asan-instrumentation-with-call-threshold=0)
define also
$$(BUILD)/%.$1.o: %.c
	$$(call say,CC,'$$< ($1)')
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(FLAGS) $$(CFLAGS) -O3 $$(SANITIZE) $$(UNROLLED) $$(FLAGS_$1) -c -o $$@ $$<
endef
$(foreach b,$(BUILDS),$(eval $(call also,$b)))
$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $(OPTIMISE) $(SANITIZE) $(UNROLLED) -c -o $@ $<
$(BUILD)/web.o: $(WEB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)ld -r -b binary -z noexecstack -o $@ $^

test: packages-test
	+$(MAKE) --no-print-directory check
TESTED := $(BUILD)/denoised $(TESTS) $(BUILD)/golden
programs: $(TESTED) $(BUILD)/bench $(BUILD)/forward
check: $(TESTED)
	tests/run.py $(if $(SAN),--sanitized) $(BUILD) $(PARTS)
golden: packages-build
	+$(MAKE) --no-print-directory $(BUILD)/golden
	$(BUILD)/golden $(GOLDEN)
demo:
	@clients/shell/demo.sh $(ARGS)
weights: denoised; weights/recipes/points.sh ./denoised build/weights
browser: packages-browser
	+$(MAKE) --no-print-directory denoised
	cd tests/browser && npm ci --silent --no-audit --no-fund
	node --test --test-reporter=spec tests/browser/page.test.js
MODELS := $(PREFIX)/share/denoised/models
install: $(BUILD)/denoised
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/denoised
	install -d $(DESTDIR)/etc/denoised $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(MODELS)
	sed 's|/usr/bin/denoised|$(PREFIX)/bin/denoised|' deploy/denoised.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/denoised.service
	test -e $(DESTDIR)/etc/denoised/denoised.conf || \
	    sed 's|@MODELS@|$(MODELS)|' deploy/denoised.conf >$(DESTDIR)/etc/denoised/denoised.conf
	cp -R $(dir $(wildcard weights/*/denoised.json)) weights/selftest $(DESTDIR)$(MODELS)
fuzz: packages-fuzz
	+$(MAKE) --no-print-directory CC=clang-14 SAN=fuzzer-no-link,address,undefined BUILD=build/fuzz fuzzers
	tests/fuzz/run.py build/fuzz $(FUZZ_SECONDS)
fuzzers: $(FUZZERS)
mutants: packages-test
	+$(MAKE) --no-print-directory $(LIB) $(SUPPORT)
	tests/mutants.py $(BUILD) $(ARGS)
bench: packages-bench
	+$(MAKE) --no-print-directory $(BUILD)/bench $(BUILD)/denoised
	$(BUILD)/bench $(ARGS) $(PARTS)
	$(if $(ARGS)$(PARTS),,tests/bench/bench_http.py $(BUILD)/denoised)
bench-peers: packages-bench
	+$(MAKE) --no-print-directory $(BUILD)/forward $(BUILD)/denoised
	tests/bench/peers/peers.sh $(BUILD) $(ARGS)
lint: layers
	tests/lint/sizes.py
	clang-format-14 --dry-run -Werror $$(git ls-files '*.c' '*.h')
	tests/lint/tidy.sh $(filter-out -MMD -MP,$(FLAGS))
layers:
	tests/lint/layers.py
packages-build packages-test packages-lint packages-fuzz packages-browser packages-bench: packages-%:
	@deploy/install-packages.sh $*
clean:
	rm -rf build denoised
.PHONY: all denoised programs test check golden demo browser bench bench-peers install fuzz fuzzers mutants lint layers clean weights \
        packages-build packages-test packages-lint packages-fuzz packages-browser packages-bench
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
