# SPDX-License-Identifier: GPL-2.0-or-later
# Repave: one Makefile. Each folder adds its programs, tests and outputs in <folder>/build.mk.
MAKEFLAGS += --no-builtin-rules --no-print-directory
# As many jobs as processors, unless the caller says otherwise.
ifeq ($(filter -j%,$(MAKEFLAGS))$(filter j%,$(firstword $(MAKEFLAGS))),)
MAKEFLAGS += -j$(shell nproc)
endif
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export LC_ALL := C.UTF-8
export TZ := UTC

O ?= build
B := $(O)
KCONFIG_CONFIG ?= .config
export KCONFIG_CONFIG
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
else
Q :=
say = @:
endif

# One number for every time stamp that goes into an image, so that two builds give the same bytes.
# It is the day on which packages.lock was last renewed.
SOURCE_DATE_EPOCH ?= $(shell date -d "$$(sed -n 's/^\# date: //p' packages.lock)" +%s)
export SOURCE_DATE_EPOCH

# ------------------------------------------------------------------ configuration
no-config-goals := menuconfig defconfig savedefconfig clean distclean help deps uninstall
ifneq ($(filter-out $(no-config-goals),$(or $(MAKECMDGOALS),all)),)
# Both are made before anything else: a mistake in the configuration costs nothing, and what `check` completes counts.
include $(KCONFIG_CONFIG) $(B)/config.checked
$(KCONFIG_CONFIG): | $(B)/deps.stamp
	$(call say,CONFIG,$@ (from configs/defconfig))
	$(Q)scripts/kconfig defconfig
else
# Without a rule for it: `make help` and `make clean` make nothing.
include $(wildcard $(KCONFIG_CONFIG))
endif
ifneq ($(filter all run test test-qemu test-long bench,$(or $(MAKECMDGOALS),all)),)
no-room := $(shell scripts/check-room $(B))
$(if $(no-room),$(error $(no-room)))
endif
cfg = $(subst ",,$(CONFIG_$(1)))
kconfig-files := Kconfig $(wildcard */Kconfig)

$(B)/config.checked: $(KCONFIG_CONFIG) $(kconfig-files) | $(B)/deps.stamp
	$(Q)scripts/kconfig check
	$(Q)touch $@

# $(B)/config/SYMBOL changes only when CONFIG_SYMBOL does: the prerequisite of what depends on a choice.
.PRECIOUS: $(B)/config/%
$(B)/config/%: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(call cfg,$*)' | cmp -s - $@ || echo '$(call cfg,$*)' >$@

# ------------------------------------------------------------------ tool chains
# host: programs of the build host and the control unit; musl: static programs of a node;
# test: host with sanitizers; fuzz: clang with libFuzzer.
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wvla -Wformat=2 -Wundef -Werror
common-flags := -std=c17 -D_GNU_SOURCE -I. $(warnings) -fno-common
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SYSROOT := $(abspath $(B))/sysroot

CC-host := gcc
CFLAGS-host := $(common-flags) -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDFLAGS-host := -pie -Wl,-z,relro,-z,now,--as-needed
CC-musl := musl-gcc
CFLAGS-musl := $(common-flags) -Os -g -fstack-protector-strong -ffunction-sections -fdata-sections \
	-isystem $(SYSROOT)/include
LDFLAGS-musl := -static -L$(SYSROOT)/lib -Wl,--gc-sections,-z,relro,-z,now
CC-test := gcc
CFLAGS-test := $(common-flags) -O1 -g $(sanitize)
LDFLAGS-test := $(sanitize)
CC-fuzz := clang
CFLAGS-fuzz := $(common-flags) -Wno-unused-command-line-argument -O1 -g $(sanitize) -fsanitize=fuzzer-no-link
LDFLAGS-fuzz := $(sanitize) -fsanitize=fuzzer

toolchains := host musl test fuzz
# `cflags-own`, for an object alone: what its own library needs. Asked for when it is compiled: before, it may not be installed.

# ------------------------------------------------------------------ what the folders add
folders := common signing packages rootfs images initramfs provisioner agent control install qemu-tests bench docs
host-programs :=    # <name>-src, <name>-libs        -> $(B)/bin/<name>
musl-programs :=    # <name>-src, <name>-libs        -> $(B)/target/<name> (stripped)
unit-tests :=       # <name>-src, <name>-libs        -> $(B)/test/<name>, cmocka
fuzz-targets :=     # <name>-src, <name>-libs, <name>-corpus (folder) -> $(B)/fuzz/<name>
all-outputs :=      # further files that `make all` makes
# Executables that `make test-unit` runs: exit status 0 is a pass.
script-tests := scripts/test/bad-input-test scripts/test/threat-model-test
test-unit-needs :=  # built files that they use
musl-lib-stamps :=  # stamps of the musl libraries, set by packages/build.mk
shell-scripts :=    # scripts that shellcheck reads, besides *.sh
-include $(wildcard $(addsuffix /build.mk,$(folders)))

# ------------------------------------------------------------------ rules from those lists
$(foreach t,$(toolchains),$(B)/obj/$(t)/control/calendar.o): cflags-own = $(shell pkg-config --cflags glib-2.0)
define toolchain-rules
$(B)/obj/$(1).flags: FORCE
	$(Q)mkdir -p $$(@D)
	$(Q)echo '$$(CC-$(1)) $$(CFLAGS-$(1)) $$(LDFLAGS-$(1))' | cmp -s - $$@ || echo '$$(CC-$(1)) $$(CFLAGS-$(1)) $$(LDFLAGS-$(1))' >$$@

$(B)/obj/$(1)/%.o: %.c $(B)/obj/$(1).flags | $(B)/deps.stamp $(if $(filter musl,$(1)),$(musl-lib-stamps))
	$$(call say,CC,$$< ($(1)))
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC-$(1)) $$(CFLAGS-$(1)) $$(cflags-own) -MMD -MP -c -o $$@ $$<
endef
$(foreach t,$(toolchains),$(eval $(call toolchain-rules,$(t))))

# $(1) tool chain, $(2) name, $(3) output, $(4) libraries that every program of this kind gets
define link-rule
$(3): $(foreach s,$($(2)-src) $(5),$(B)/obj/$(1)/$(s:.c=.o)) $(B)/obj/$(1).flags $(if $(filter musl,$(1)),$(musl-lib-stamps))
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC-$(1)) $$(LDFLAGS-$(1)) -o $$@$(if $(filter musl,$(1)),.debug) $$(filter %.o,$$^) $($(2)-libs) $(4)
	$(if $(filter musl,$(1)),$(Q)strip -o $$@ $$@.debug)
objects += $(foreach s,$($(2)-src) $(5),$(B)/obj/$(1)/$(s:.c=.o))
endef
$(foreach p,$(host-programs),$(eval $(call link-rule,host,$(p),$(B)/bin/$(p))))
$(foreach p,$(musl-programs),$(eval $(call link-rule,musl,$(p),$(B)/target/$(p))))
$(foreach p,$(unit-tests),$(eval $(call link-rule,test,$(p),$(B)/test/$(p),-lcmocka)))
$(foreach p,$(fuzz-targets),$(eval $(call link-rule,fuzz,$(p),$(B)/fuzz/$(p))))
$(foreach p,$(fuzz-targets),$(eval $(call link-rule,test,$(p),$(B)/corpus/$(p),,common/test/corpus-main.c)))
-include $(sort $(patsubst %.o,%.d,$(objects)))

host-outputs := $(addprefix $(B)/bin/,$(host-programs))
musl-outputs := $(addprefix $(B)/target/,$(musl-programs))

# ------------------------------------------------------------------ targets
.PHONY: all run test test-unit test-qemu test-long bench fuzz lint deps clean distclean help \
	menuconfig defconfig savedefconfig FORCE
FORCE:

all: $(B)/config.checked $(host-outputs) $(musl-outputs) $(all-outputs)

test-unit: $(addprefix $(B)/test/,$(unit-tests)) $(addprefix $(B)/corpus/,$(fuzz-targets)) $(test-unit-needs)
	$(Q)scripts/run-unit-tests $(B) $(foreach t,$(unit-tests),test:$(t)) \
		$(foreach t,$(fuzz-targets),corpus:$(t):$($(t)-corpus)) $(foreach t,$(script-tests),script:$(t))

# FUZZ_SECONDS: time per target.
FUZZ_SECONDS ?= 60
fuzz: $(addprefix $(B)/fuzz/,$(fuzz-targets))
	$(Q)scripts/run-fuzzers $(B) $(FUZZ_SECONDS) $(foreach t,$(fuzz-targets),$(t):$($(t)-corpus))

lint: | $(B)/deps.stamp
	$(Q)scripts/lint $(B) $(shell-scripts)

test: lint test-unit all
	$(Q)$(MAKE) test-qemu

deps: $(B)/deps.stamp

# Looks again when packages were installed or removed: a tool that went missing comes back.
$(B)/deps.stamp: scripts/debian-packages.txt $(wildcard /var/lib/dpkg/status)
	$(Q)scripts/install-deps $<
	$(Q)mkdir -p $(B) && touch $@

menuconfig defconfig savedefconfig: | $(B)/deps.stamp
	$(Q)scripts/kconfig $@

clean:
	$(Q)scripts/clean-build $(B)

distclean: clean
	$(Q)rm -rf $(B) $(KCONFIG_CONFIG) $(KCONFIG_CONFIG).old

help:
	$(Q)scripts/help
