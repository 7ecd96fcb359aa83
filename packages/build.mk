# SPDX-License-Identifier: GPL-2.0-or-later
# Third-party programs, libraries and the kernel. `musl-lib-stamps` lists the libraries of node programs;
# the images ask for the rest by $(B)/packages/NAME.stamp.
package-tools := packages/build-package packages/resolve packages/lock packages/apt packages/apt-sources
package-names := $(notdir $(wildcard packages/recipes/*))
package-libraries := $(notdir $(shell grep -l '^library=yes' packages/recipes/*))
musl-lib-stamps += $(package-libraries:%=$(B)/packages/%.stamp)
shell-scripts += $(filter-out packages/apt-sources,$(package-tools)) packages/test/lock-test \
	packages/check-kernel packages/test/check-kernel-test
script-tests += $(wildcard packages/test/*-test)

$(B)/apt/updated: | $(B)/deps.stamp
	$(call say,APT,package lists)
	$(Q)B=$(B) packages/apt update

# A package is built again when its own line of the lock changes, or the day of the lock (time stamps).
$(B)/packages/%.locked: FORCE
	$(Q)mkdir -p $(@D)
	$(Q){ packages/lock line $*; echo $(SOURCE_DATE_EPOCH); } | cmp -s - $@ || \
		{ packages/lock line $*; echo $(SOURCE_DATE_EPOCH); } >$@

$(package-names:%=$(B)/packages/%.stamp): $(B)/packages/%.stamp: packages/recipes/% packages/build-package \
		$(B)/packages/%.locked | $(B)/apt/updated
	+$(Q)B=$(B) LOCKED=$(LOCKED) packages/build-package $*
	$(Q)touch $@

# Compiled against the kernel's headers or another library, or by a configuration file.
$(filter-out $(B)/packages/kernel-%,$(package-names:%=$(B)/packages/%.stamp)): $(B)/packages/kernel-headers.stamp
$(B)/packages/curl.stamp: $(B)/packages/mbedtls.stamp
$(B)/packages/busybox.stamp: packages/config/busybox.config
$(B)/packages/busybox-initramfs.stamp: packages/config/busybox-initramfs.config
$(B)/packages/kernel-minimal.stamp: packages/kernel-minimal.fragment

# ------------------------------------------------------------------ the chosen kernel
kernel-choice := $(if $(CONFIG_KERNEL_GENERIC),generic,$(if $(CONFIG_KERNEL_MINIMAL),minimal,cloud))

$(B)/kernel/kernel.stamp: $(B)/packages/kernel-$(kernel-choice).stamp $(B)/config/KERNEL_CLOUD \
		$(B)/config/KERNEL_GENERIC $(B)/config/KERNEL_MINIMAL packages/check-kernel packages/kernel-needed
	$(call say,KERNEL,$(kernel-choice))
	$(Q)packages/check-kernel $(B)/packages/kernel-$(kernel-choice)/config
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && cp -al $(B)/packages/kernel-$(kernel-choice)/. $(@D)/
	$(Q)touch $@

.PHONY: lock
lock:
	$(call say,LOCK,packages.lock)
	$(Q)B=$(B) packages/lock renew
