# denoised: inference daemon for diffusion models.
#   make            the daemon at ./denoised         make demo    set up, run, show pictures
#   make test       set up and pass all tests        make lint    formatting, clang-tidy
# Variants: make SAN=address,undefined test, make SAN=thread test. Objects go to build/VARIANT.
SAN    ?=
PREFIX ?= /usr/local
GOLDEN ?= tests/golden
ARGS   ?=
comma  := ,
VARIANT := $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
BUILD  ?= build/$(VARIANT)
BLAS   := /usr/lib/x86_64-linux-gnu/openblas-pthread

WARN := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes \
        -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Wundef -Wnull-dereference -Wswitch-enum \
        -Wimplicit-fallthrough
CFLAGS  ?= -O2 -g
FLAGS   := -std=c11 -D_GNU_SOURCE -I. -isystem /usr/include/x86_64-linux-gnu/openblas-pthread -MMD -MP -pthread \
           -ffp-contract=off -fno-math-errno -fno-trapping-math $(WARN) $(if $(SAN),-O1 -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS += -pthread -Wl,-rpath,$(BLAS) -L$(BLAS) $(if $(SAN),-fsanitize=$(SAN))
LDLIBS  := -lmicrohttpd -luv -lcjson -lopenblas -lnettle -lz -lm

# Compiled twice, for the baseline and with FMA instructions: one source, the same bits.
TWICE := core/nn/kernels_portable.c core/base/rng_normal.c
WEB   := clients/web/index.html clients/web/page.js clients/web/page.css

CORE   := $(wildcard core/*/*.c proto/*.c)
SERVER := $(filter-out server/main.c,$(wildcard server/*.c))
OBJ     = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB    := $(BUILD)/libdenoised.a
TESTS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/test_*.c))
GOLDENS := $(call OBJ,$(wildcard tests/golden/*.c))

all: denoised
denoised: $(BUILD)/denoised
	ln -sf $< $@
$(BUILD)/denoised: $(BUILD)/server/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(LIB): $(call OBJ,$(CORE) $(SERVER)) $(patsubst %.c,$(BUILD)/%.fma.o,$(TWICE)) $(BUILD)/web.o
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(BUILD)/golden: $(GOLDENS) $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/%.fma.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CFLAGS) -mavx2 -mfma -DFMA_BUILD -c -o $@ $<
$(BUILD)/core/nn/%.o: CFLAGS += -O3
$(BUILD)/web.o: $(WEB)
	@mkdir -p $(@D)
	ld -r -b binary -z noexecstack -o $@ $(WEB)

unit: $(TESTS)
	@for test in $(TESTS); do $$test || exit 1; done
golden: $(BUILD)/golden
	$(BUILD)/golden $(GOLDEN)
clean:
	rm -rf build denoised
.PHONY: all unit golden clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
