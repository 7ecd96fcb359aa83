# SPDX-License-Identifier: GPL-2.0-or-later
# IMAGE: which image to measure with, such as IMAGE=os-debian.img.
IMAGE ?=
# BENCH=control, BENCH=fleet, BENCH=secure-boot, BENCH=at-rest: that one alone.
BENCH ?=
ifneq ($(BENCH),)
bench: bench-$(BENCH)
else
bench: all $(B)/test/install-slot $(B)/bin/image-patch
	$(Q)bench/machine begin
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/bench.py $(IMAGE)
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/provision $(IMAGE)
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/delta
	$(Q)$(qemu-environment) $(PYTHON) bench/stage1
	$(Q)$(qemu-environment) $(PYTHON) bench/live
	$(Q)$(MAKE) bench-signing
	$(Q)$(MAKE) bench-control
	$(Q)$(MAKE) bench-fleet
	$(Q)bench/machine end
endif
shell-scripts += bench/debian-before bench/live-medium bench/machine

# What verification costs a node: a static program that does nothing else, and the provisioner linked without it.
tuf-verify-objects := $(addprefix $(B)/obj/musl/,$(patsubst %.c,%.o,bench/tuf-verify.c $(signing-verify) $(common-core)))
without-objects := $(addprefix $(B)/obj/musl/,$(patsubst %.c,%.o,bench/without-verification.c $(sha256-src) signing/verity.c \
	$(filter-out $(signing-verify),$(provision-src))))
objects += $(tuf-verify-objects) $(without-objects)

$(B)/bench/tuf-verify: $(tuf-verify-objects) $(B)/obj/musl.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-musl) $(LDFLAGS-musl) -o $@ $(tuf-verify-objects) $(signing-verify-libs)

$(B)/bench/provision-without: $(without-objects) $(B)/obj/musl.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-musl) $(LDFLAGS-musl) -o $@ $(without-objects) $(provision-libs)
	$(Q)strip $@

.PHONY: bench-signing
bench-signing: $(B)/bench/tuf-verify $(B)/bench/provision-without $(B)/target/provision
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/signing.py

# A whole fleet of agents, played by one process.
$(B)/bench/agents: $(B)/obj/host/bench/agents.o $(B)/obj/host.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-host) $(LDFLAGS-host) -o $@ $< -lssl -lcrypto
objects += $(B)/obj/host/bench/agents.o

.PHONY: bench-control
bench-control: $(B)/bench/agents $(B)/bin/repaved $(B)/bin/repave $(B)/bin/repave-sign
	$(Q)bench/machine begin
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/control
	$(Q)bench/machine end

# A day of a fleet without machines, and how long a round of decisions takes. CHART=: no chart is written.
CHART ?= docs/fleet-day.svg
fleet-objects := $(addprefix $(B)/obj/host/,$(patsubst %.c,%.o,bench/fleet.c bench/fleet-model.c bench/fleet-decisions.c control/trend.c \
	$(decide-alone) $(common-core)))
decide-times-objects := $(addprefix $(B)/obj/host/,$(patsubst %.c,%.o,bench/decide-times.c $(decide-alone) $(common-core)))
objects += $(fleet-objects) $(decide-times-objects)

$(B)/bench/fleet: $(fleet-objects) $(B)/obj/host.flags
$(B)/bench/decide-times: $(decide-times-objects) $(B)/obj/host.flags
$(B)/bench/fleet $(B)/bench/decide-times:
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-host) $(LDFLAGS-host) -o $@ $(filter %.o,$^) -ljansson $(control-rules-libs)

.PHONY: bench-fleet
bench-fleet: $(B)/bench/fleet $(B)/bench/decide-times
	$(Q)bench/machine begin
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/fleet $(CHART)
	$(Q)bench/machine end

# Firmware that checks, and a TPM.
.PHONY: bench-secure-boot
bench-secure-boot: all
	$(Q)bench/machine begin
	$(Q)$(qemu-environment) $(PYTHON) bench/secure-boot
	$(Q)bench/machine end

# Encrypted C: and D:.
.PHONY: bench-at-rest
bench-at-rest: all
	$(Q)bench/machine begin
	$(Q)$(qemu-environment) $(PYTHON) bench/at-rest
	$(Q)bench/machine end
