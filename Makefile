# SPDX-License-Identifier: Apache-2.0
# GNU make, one file. `make help` lists the targets. BUILD=DIR builds elsewhere; SANITIZE=address,undefined (or thread)
# builds under build/sanitize-…; CC=clang works as well; ISAL= builds onhost without ISA-L. The targets for newcomers (demo, test) first install what is
# missing and then start make anew, because only then pkg-config finds it.

VERSION := 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
SANITIZE ?=
COVERAGE ?=
FOR_VALGRIND ?=
PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# make anew, for what must come after something else; its lines begin with +, which hands on how many jobs there may be
AGAIN = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# the same for tests beside each other, whose output should not mix
UNITS = $(AGAIN) --output-sync=target

comma := ,
ifneq ($(SANITIZE),)
BUILD ?= build/sanitize-$(subst $(comma),-,$(SANITIZE))
else ifneq ($(COVERAGE),)
BUILD ?= build/coverage
else ifneq ($(FOR_VALGRIND),)
BUILD ?= build/for-valgrind
else
BUILD ?= build
endif

# PKG_CONFIG=none: whoever says so gives CPPFLAGS in the environment, and CPI_LIBS, ONHOST_LIBS and ISAL (the BOSH package does)
PKG_CONFIG ?= pkg-config
ifneq ($(PKG_CONFIG),none)
pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
endif

CPI_PACKAGES := libcurl libcrypto expat
ONHOST_PACKAGES := libcurl libcrypto libudev blkid zlib libarchive libzstd liblzma libseccomp
# ISA-L inflates several times as fast as zlib, which takes its place where it is not there; ISAL= builds without it
ISAL ?= $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo libisal)
ifneq ($(ISAL),)
ONHOST_PACKAGES += libisal
CPPFLAGS += -DHAVE_ISAL
endif
PACKAGES := $(sort $(CPI_PACKAGES) $(ONHOST_PACKAGES))

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wnull-dereference -Wimplicit-fallthrough
WERROR ?= -Werror
OPT ?= -O2
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCPI_VERSION='"$(VERSION)"' $(call pkg_cflags,$(PACKAGES))
CFLAGS += -std=gnu17 -g $(OPT) $(WARNINGS) $(WERROR) -pthread -fPIC -fvisibility=hidden -fstack-protector-strong -fno-common \
	-ffunction-sections -fdata-sections
ifeq ($(shell uname -s),Darwin)
LDFLAGS += -pthread -Wl,-dead_strip
else
LDFLAGS += -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--gc-sections
endif
ifeq ($(SANITIZE),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
CFLAGS += -fstack-clash-protection
else
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifneq ($(COVERAGE),)
OPT := -O0
CPPFLAGS += -U_FORTIFY_SOURCE
CPPFLAGS += -DSANDBOX_FOR_COVERAGE
CFLAGS += --coverage
LDFLAGS += --coverage
endif
# valgrind makes code and calls of its own, which onhost's filter would refuse: a build without the filter
ifneq ($(FOR_VALGRIND),)
CPPFLAGS += -DSANDBOX_FOR_VALGRIND
endif

CPI_LIBS := $(call pkg_libs,$(CPI_PACKAGES))
ONHOST_LIBS := $(call pkg_libs,$(ONHOST_PACKAGES))

COMMON_SRC := $(sort $(wildcard common/*.c))
CPI_SRC := $(sort $(filter-out cpi/main.c,$(wildcard cpi/*.c cpi/*/*.c cpi/*/*/*.c)))
# the program does without the library's part, which waits for signals as Linux does
ifeq ($(shell uname -s),Darwin)
CPI_SRC := $(filter-out cpi/library%,$(CPI_SRC))
endif
ONHOST_SRC := $(sort $(filter-out onhost/main.c,$(wildcard onhost/*.c)))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(sort $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
REPLAY_TESTS := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/replay_%,$(FUZZ_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

# V=1 shows the commands themselves
ifeq ($(V),)
quiet = @echo "  $(1)	$(subst $(BUILD)/,,$@)";
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps guest venv demo test test-long check unit integration bench coverage lint fuzz sanitize clang valgrind \
	man install deb bosh-release acceptance clean
all: $(BUILD)/cpi $(BUILD)/onhost $(BUILD)/libcpi_aws.so ## build both programs and the library (the default)

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- programs ---------------------------------------------------------------------------------------------------------

$(BUILD)/cpi: $(BUILD)/obj/cpi/main.o $(BUILD)/libcpi.a $(BUILD)/libcommon.a
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(CPI_LIBS)

$(BUILD)/onhost: $(BUILD)/obj/onhost/main.o $(BUILD)/libonhost.a $(BUILD)/libcommon.a
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(ONHOST_LIBS)

# The number is the interface's: it changes when a program that was built against the library would not work any more.
LIBRARY := libcpi_aws.so.0
LIBRARY_MAP := packaging/libcpi_aws.map
LIBRARY_LDFLAGS = $(filter-out -pie,$(LDFLAGS)) -shared -Wl,-soname,$(LIBRARY) -Wl,--version-script=$(LIBRARY_MAP)
# a sanitizer's functions are in the program that loads it
ifeq ($(SANITIZE),)
LIBRARY_LDFLAGS += -Wl,-z,defs
endif
$(BUILD)/$(LIBRARY): $(BUILD)/obj/cpi/library.o $(BUILD)/libcpi.a $(BUILD)/libcommon.a $(LIBRARY_MAP)
	$(call quiet,LD)$(CC) $(LIBRARY_LDFLAGS) -o $@ $(filter-out $(LIBRARY_MAP),$^) $(CPI_LIBS)
$(BUILD)/libcpi_aws.so: $(BUILD)/$(LIBRARY)
	$(call quiet,LINK)ln -sf $(LIBRARY) $@

$(BUILD)/libcommon.a: $(call objects,$(COMMON_SRC))
$(BUILD)/libcpi.a: $(call objects,$(CPI_SRC))
$(BUILD)/libonhost.a: $(call objects,$(ONHOST_SRC))
$(BUILD)/lib%.a:
	$(call quiet,AR)rm -f $@ && $(AR) rcs $@ $^

# the flags are a prerequisite: other flags, other objects
$(BUILD)/flags: FORCE
	@[ $(PKG_CONFIG) = none ] || $(PKG_CONFIG) --exists $(PACKAGES) || { echo "libraries are missing: 'make deps' installs them" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))' > $@
.PHONY: FORCE

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CPPFLAGS) -include common/banned.h $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# --- tests ------------------------------------------------------------------------------------------------------------

WRAP_CALLS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=ioctl
TEST_ARCHIVES := $(BUILD)/libcpi.a $(BUILD)/libonhost.a $(BUILD)/libcommon.a
$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $(call objects,$(UNIT_HELPERS)) $(TEST_ARCHIVES)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) $(WRAP_CALLS) -o $@ $^ $(CPI_LIBS) $(ONHOST_LIBS) -lcmocka

$(BUILD)/tests/replay_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(TEST_ARCHIVES)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(CPI_LIBS) $(ONHOST_LIBS)

# drivers for comparing the signer, profiles and endpoints with another implementation, and sessions with each other; and the
# worker actions' definitions
DRIVERS := $(BUILD)/tests/sign_driver $(BUILD)/tests/aws_driver $(BUILD)/tests/session_driver $(BUILD)/tests/actions_driver
$(DRIVERS): $(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/obj/tests/tools/lines.o $(BUILD)/libcpi.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(CPI_LIBS)

# loads the library as a host does
LIBRARY_DRIVER := $(BUILD)/tests/library_driver
$(LIBRARY_DRIVER): $(BUILD)/obj/tests/tools/library_driver.o
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^

# tells which properties are read: all look-ups pass through it
PROPERTIES_DRIVER := $(BUILD)/tests/properties_driver
$(PROPERTIES_DRIVER): $(BUILD)/obj/tests/tools/properties_driver.o $(BUILD)/libcpi.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -Wl,--wrap=json_get,--wrap=json_path -o $@ $^ $(CPI_LIBS)

# over onhost's parts: what the bench compares it with; what an image that took its reader over would try
ONHOST_TOOLS := $(BUILD)/tests/inflate_alone $(BUILD)/tests/sandbox_probe
$(ONHOST_TOOLS): $(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/libonhost.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(ONHOST_LIBS)

# a file system that makes trouble, for a loop device over it
FAULT_FS := $(BUILD)/tests/fault_fs
$(BUILD)/obj/tests/tools/fault_fs.o: CPPFLAGS += $(call pkg_cflags,fuse3)
$(FAULT_FS): $(BUILD)/obj/tests/tools/fault_fs.o
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^ $(call pkg_libs,fuse3)

# in place of EBS, EC2 and STS for the bench: takes uploads and throws them away
EBS_SINK := $(BUILD)/tests/ebs_sink
$(EBS_SINK): $(BUILD)/obj/tests/tools/ebs_sink.o
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -o $@ $^

# overlays the one answer that no emulator gives; loaded into onhost by the guest tests
SHIM := $(BUILD)/tests/identify_shim.so
$(SHIM): tests/tools/identify_shim.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) -I. -D_GNU_SOURCE -std=gnu17 -g -O2 $(WARNINGS) $(WERROR) -fPIC -shared -o $@ $< -ldl

guest: ## fetch the kernel that the guest tests boot, below build/guest (it is not installed)
	@tests/guest/kernel.sh build/guest

VENV := build/venv
$(VENV)/done: tests/lab/requirements.txt
	@echo "installing the Python packages of $< under $(VENV)"
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
venv: $(VENV)/done ## the Python environment of the lab, under build/venv

deps: ## install the Debian packages that building needs (as root)
	@tests/setup build

demo: ## the main job on a local lab: a stemcell becomes an AMI, everything shown
	@tests/setup build demo
	+@$(AGAIN) all venv
	@BUILD=$(BUILD) $(VENV)/bin/python tests/lab/demo.py

test: ## all tests, installing what they need
	@tests/setup build demo test deb
	@tests/guest/kernel.sh build/guest || echo "the guest tests will be skipped"
	+@$(AGAIN) check

check: ## all tests, with what is installed
	+@$(UNITS) unit
	+@$(AGAIN) integration

unit: $(addprefix run/,$(notdir $(UNIT_TESTS) $(REPLAY_TESTS))) ## unit tests, and the fuzzers' corpora replayed
run/test_%: $(BUILD)/tests/test_% FORCE
	@echo "== $<"; $(TEST_WRAPPER) $<
run/replay_%: $(BUILD)/tests/replay_% FORCE
	@echo "== $<"; $(TEST_WRAPPER) $< tests/fuzz/corpus/$*

TESTS ?= tests/integration
MARKS ?= not long
# of a whole run: whether the policies allow what the tests have called, no less and no more
WHOLE_RUN = $(if $(filter-out tests/integration,$(TESTS))$(findstring once,$(MARKS))$(findstring valgrind,$(MARKS))$(findstring -k,$(PYTEST_ARGS)),,yes)
# labs of their own beside each other: their waits overlap. A worker that dies ends the run: loadgroup would wait for ever for what
# that one had still to do
PYTEST_ARGS ?= -n 4 --dist loadgroup --max-worker-restart=0
integration: all $(VENV)/done $(DRIVERS) $(PROPERTIES_DRIVER) $(LIBRARY_DRIVER) $(ONHOST_TOOLS) $(FAULT_FS) $(EBS_SINK) $(SHIM) ## both programs as users run them, against the lab
	@rm -rf $(BUILD)/recorded-actions
	CPI_BIN=$(abspath $(BUILD)/cpi) ONHOST_BIN=$(abspath $(BUILD)/onhost) BUILD_DIR=$(abspath $(BUILD)) \
		$(VENV)/bin/python -m pytest $(TESTS) -m "$(MARKS)" $(PYTEST_ARGS)
	$(if $(WHOLE_RUN),tests/tools/recorded_actions.py $(BUILD)/cpi $(BUILD)/recorded-actions)

# --- what takes longer ------------------------------------------------------------------------------------------------

test-long: ## all tests, sanitizers, valgrind and ten minutes a fuzzer
	@tests/setup build demo test lint deb cross
	+$(AGAIN) check MARKS="long or not long"
	+$(AGAIN) lint clang valgrind
	+$(AGAIN) sanitize SANITIZE_MARKS="not long and not once"
	+$(AGAIN) fuzz FUZZ_SECONDS=600

# what there is of threads: unit tests, and the library in a host that has many
THREAD_TESTS := tests/integration/test_library_host.py
SANITIZE_MARKS ?= not long and not once and not waits
sanitize: ## unit and integration tests under AddressSanitizer and UBSan, threads under ThreadSanitizer
	+ASAN_OPTIONS=allocator_may_return_null=1 $(AGAIN) SANITIZE=address,undefined check MARKS="$(SANITIZE_MARKS)"
	+$(UNITS) SANITIZE=thread unit
	+$(AGAIN) SANITIZE=thread integration TESTS="$(THREAD_TESTS)" PYTEST_ARGS=

# gcc's builds run all tests in `check` and `sanitize`; compilers and sanitizers differ in the system calls that they make
SANDBOX_TESTS := tests/integration/test_sandbox.py tests/integration/test_images.py
clang: ## both programs by clang; onhost's sandbox in clang's builds, with and without sanitizers
	+$(AGAIN) CC=clang BUILD=build/clang all
	+$(AGAIN) CC=clang BUILD=build/clang integration TESTS="$(SANDBOX_TESTS)"
	+ASAN_OPTIONS=allocator_may_return_null=1 $(AGAIN) CC=clang BUILD=build/clang-sanitize SANITIZE=address,undefined integration \
		TESTS="$(SANDBOX_TESTS)"

# no vgdb: its pipes have names, which the sandbox would not let it take away
VALGRIND := valgrind --vgdb=no --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
# through env(1), which starts onhost; each process has a report of its own, and an empty one is a good one
VALGRIND_REPORTS = $(abspath $(BUILD))/valgrind
valgrind: ## unit tests and one whole create_stemcell under valgrind, in a build of its own
	+$(AGAIN) FOR_VALGRIND=1 valgrind-run
.PHONY: valgrind-run
valgrind-run: all
	+$(UNITS) unit TEST_WRAPPER="$(VALGRIND) --quiet"
	rm -rf $(VALGRIND_REPORTS) && mkdir -p $(VALGRIND_REPORTS)
	+CPI_WRAPPER="$(VALGRIND) --quiet --trace-children=yes --trace-children-skip=*/env --log-file=$(VALGRIND_REPORTS)/%p" \
		$(AGAIN) integration MARKS=valgrind_run PYTEST_ARGS=
	@ls $(VALGRIND_REPORTS)/* >/dev/null && ! grep -r . $(VALGRIND_REPORTS)

BENCH_MIB ?= 3072
BENCH_ROUNDS ?= 5
bench: ## measure: image to device and to snapshot, cpi info, waits, 200 cpi against request limits; writes build/bench.json
	@tests/setup build demo bench
	+@$(AGAIN) all venv $(BUILD)/tests/inflate_alone $(BUILD)/tests/session_driver $(EBS_SINK)
	+@$(AGAIN) BUILD=$(BUILD)/zlib ISAL= $(BUILD)/zlib/onhost
	@BUILD=$(BUILD) $(VENV)/bin/python tests/bench/bench.py --mib $(BENCH_MIB) --rounds $(BENCH_ROUNDS)

coverage: ## line coverage of the C code by unit and integration tests
	@tests/setup build demo test lint deb
	find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	+$(AGAIN) COVERAGE=1 check
	@mkdir -p build/coverage/html
	gcovr --root . --object-directory build/coverage --filter 'common/' --filter 'cpi/' --filter 'onhost/' \
		--print-summary --fail-under-line 85 --html-details build/coverage/html/index.html \
		--txt build/coverage/coverage.txt
	@cat build/coverage/coverage.txt

lint: ## layers, headers, scripts, man pages, static analysis
	@tests/setup build demo test lint
	+@$(AGAIN) venv
	tests/lint --cppflags "$(filter-out -DCPI_VERSION%,$(CPPFLAGS))"

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
# the archives are instrumented once, for all fuzzers
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(TEST_ARCHIVES)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(CPI_LIBS) $(ONHOST_LIBS)
fuzz: ## each fuzzer for FUZZ_SECONDS (60), from its committed corpus
	@tests/setup build test lint
	+@$(AGAIN) CC=$(FUZZ_CC) SANITIZE=fuzzer-no-link,address,undefined fuzz-run
.PHONY: fuzz-run
fuzz-run: $(FUZZERS)
	@set -e; for f in $(FUZZERS); do name=$$(basename $$f | sed 's/^fuzz_//'); mkdir -p build/fuzz-corpus/$$name; \
		echo "== $$f for $(FUZZ_SECONDS) s"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=build/fuzz-corpus/$$name- build/fuzz-corpus/$$name tests/fuzz/corpus/$$name; done

man: $(BUILD)/tests/actions_driver ## write two man pages anew: the worker actions' from their table, the configuration's from docs/configuration.md
	$< | $(PYTHON) tests/tools/actions_page.py > packaging/man/cpi-actions.7
	$(PYTHON) tests/tools/configuration_page.py docs/configuration.md > packaging/man/cpi.json.5

install: all ## install programs, library, man pages and completions below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/cpi $(DESTDIR)$(PREFIX)/bin/cpi
	install -D -m 755 $(BUILD)/onhost $(DESTDIR)$(PREFIX)/bin/onhost
	install -D -m 644 packaging/man/cpi.1 $(DESTDIR)$(PREFIX)/share/man/man1/cpi.1
	install -D -m 644 packaging/man/cpi.json.5 $(DESTDIR)$(PREFIX)/share/man/man5/cpi.json.5
	install -D -m 644 packaging/man/cpi-actions.7 $(DESTDIR)$(PREFIX)/share/man/man7/cpi-actions.7
	install -D -m 644 packaging/man/onhost.8 $(DESTDIR)$(PREFIX)/share/man/man8/onhost.8
	install -D -m 644 packaging/completions/cpi.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/cpi
	install -D -m 644 packaging/completions/_cpi $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_cpi
	install -D -m 644 $(BUILD)/$(LIBRARY) $(DESTDIR)$(LIBDIR)/$(LIBRARY)
	ln -sf $(LIBRARY) $(DESTDIR)$(LIBDIR)/libcpi_aws.so
	install -D -m 644 cpi/cpi_aws.h $(DESTDIR)$(PREFIX)/include/cpi_aws.h
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' packaging/cpi_aws.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/cpi_aws.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/cpi_aws.pc

# --- packages ----------------------------------------------------------------------------------------------------------

# for another release or architecture in a root directory of its own
ARCH ?=
SUITE ?=
deb: ## Debian packages of the committed tree, below build/deb; ARCH=arm64 and SUITE=trixie build for others
	@tests/setup build deb $(if $(ARCH)$(SUITE),cross)
	@packaging/make-deb $(if $(ARCH),--arch $(ARCH)) $(if $(SUITE),--suite $(SUITE)) build/deb$(if $(SUITE),/$(SUITE))$(if $(ARCH),/$(ARCH))

RELEASE := build/bosh-aws-cpi-$(VERSION).tgz
BOSH ?= bosh
bosh-release: ## the BOSH release, build/bosh-aws-cpi-VERSION.tgz, by the real bosh command line (in PATH, or BOSH=)
	@BOSH=$(BOSH) packaging/bosh/make-release $(VERSION) $(RELEASE)

acceptance: ## that release, made and installed by the real bosh command line's create-env on a local lab (BOSH=; as root)
	@tests/setup build demo acceptance
	+@$(AGAIN) venv bosh-release
	@BOSH=$(BOSH) $(VENV)/bin/python tests/acceptance/create_env.py --release $(RELEASE)
	@BOSH=$(BOSH) $(VENV)/bin/python tests/acceptance/docs.py

clean: ## remove build/, except the Python environment
	find build -mindepth 1 -maxdepth 1 ! -name venv -exec rm -rf {} + 2>/dev/null || true
