# SPDX-License-Identifier: GPL-2.0-or-later
# What is inside the images: $(B)/rootfs/NAME/{tree,meta.json,packages.tsv} for each image, and app-run.
musl-programs += app-run
app-run-src := rootfs/app-run.c rootfs/app-view.c rootfs/privileges.c rootfs/session-filter.c rootfs/app-spec.c common/home-choice.c $(common-core)
app-run-libs := -ljansson

musl-programs += home
home-src := rootfs/home.c rootfs/home-mount.c rootfs/folder.c common/home-disk.c rootfs/app-spec.c common/home-choice.c $(common-core)
home-libs := -ljansson

# The users' login shell; setuid root in the images.
musl-programs += session
session-src := rootfs/session.c rootfs/session-view.c rootfs/session-text.c rootfs/session-filter.c rootfs/privileges.c rootfs/folder.c common/user.c \
	common/bytes.c common/file.c common/log.c

unit-tests += session-text-test
session-text-test-src := rootfs/test/session-text.c rootfs/session-text.c common/user.c common/bytes.c

unit-tests += app-spec-test
app-spec-test-src := rootfs/test/app-spec.c rootfs/app-spec.c common/home-choice.c $(common-core)
app-spec-test-libs := -ljansson

fuzz-targets += app-spec
app-spec-src := rootfs/fuzz/app-spec.c rootfs/app-spec.c common/home-choice.c $(common-core)
app-spec-libs := -ljansson
app-spec-corpus := rootfs/fuzz/corpus/app-spec

script-tests += rootfs/test/hardening-test
rootfs-scripts := rootfs/debian-lock rootfs/build-minimal rootfs/build-debian-base rootfs/build-debian rootfs/build-app rootfs/describe-os \
	rootfs/check-libraries rootfs/debian-packages
rootfs-overlay-scripts := $(shell grep -rlE '^\#!/bin/sh' rootfs/overlay | LC_ALL=C sort)
shell-scripts += $(rootfs-scripts) $(rootfs-overlay-scripts)

# Every file of the folder: an overlay's file that is added or removed changes the folder itself.
overlay-files = $(shell find $(addprefix rootfs/overlay/,$(1)) -type d -o -type f | LC_ALL=C sort)

# Changes when the day of packages.lock does: it is the time stamp of every file and part of the OS versions.
$(B)/rootfs/epoch: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(SOURCE_DATE_EPOCH)' | cmp -s - $@ || echo '$(SOURCE_DATE_EPOCH)' >$@

rootfs-os-needs := $(B)/target/app-run $(B)/target/home $(B)/target/session $(B)/packages/e2fsprogs.stamp $(B)/target/healthy $(B)/target/agent $(B)/target/stage2 $(B)/kernel/kernel.stamp $(B)/boot/vmlinuz-os $(B)/rootfs/epoch rootfs/lib.sh \
	rootfs/describe-os rootfs/stage2-modules packages/kernel-modules

$(B)/rootfs/os-minimal.stamp: rootfs/build-minimal rootfs/minimal-modules $(call overlay-files,common minimal) \
		$(rootfs-os-needs) $(B)/packages/busybox.stamp $(B)/packages/dropbear.stamp
	$(call say,ROOTFS,os-minimal)
	$(Q)B=$(B) KERNEL_CHOICE=$(kernel-choice) rootfs/build-minimal $(B)/rootfs/os-minimal
	$(Q)touch $@

# Depends on the lock by its day: a renewed lock is a new bootstrap.
$(B)/rootfs/debian-base.stamp: rootfs/build-debian-base rootfs/debian-packages rootfs/lib.sh $(B)/rootfs/epoch \
		packages/bom rootfs/debian-lock | $(B)/apt/updated
	$(call say,ROOTFS,debian-base (mmdebstrap: about half a minute))
	$(Q)B=$(B) rootfs/build-debian-base $(B)/rootfs/debian-base
	$(Q)touch $@

$(B)/rootfs/os-debian.stamp: rootfs/build-debian $(call overlay-files,common debian) $(rootfs-os-needs) \
		$(B)/rootfs/debian-base.stamp
	$(call say,ROOTFS,os-debian)
	$(Q)B=$(B) KERNEL_CHOICE=$(kernel-choice) rootfs/build-debian $(B)/rootfs/os-debian
	$(Q)touch $@

app-package-web := nginx
app-package-cache := redis

# $(1) application
define rootfs-app-rules
$(B)/rootfs/app-$(1)-minimal.stamp: rootfs/build-app rootfs/lib.sh $(call overlay-files,app-$(1)) $(B)/rootfs/epoch \
		$(B)/packages/$(app-package-$(1)).stamp
	$$(call say,ROOTFS,app-$(1)-minimal)
	$(Q)B=$(B) rootfs/build-app $(1) minimal $(B)/rootfs/app-$(1)-minimal
	$(Q)touch $$@

$(B)/rootfs/app-$(1)-debian.stamp: rootfs/build-app rootfs/lib.sh rootfs/debian-packages rootfs/check-libraries \
		$(call overlay-files,app-$(1)) $(B)/rootfs/epoch $(B)/rootfs/debian-base.stamp
	$$(call say,ROOTFS,app-$(1)-debian)
	$(Q)B=$(B) rootfs/build-app $(1) debian $(B)/rootfs/app-$(1)-debian
	$(Q)touch $$@
endef
$(foreach a,web cache,$(eval $(call rootfs-app-rules,$(a))))

# After `make lock` and a build: the Debian packages of the images as they are now.
.PHONY: debian-lock
debian-lock: $(B)/rootfs/debian-base.stamp $(B)/rootfs/app-web-debian.stamp $(B)/rootfs/app-cache-debian.stamp
	$(call say,LOCK,rootfs/debian.lock)
	$(Q)B=$(B) rootfs/debian-lock renew $(patsubst %.stamp,%/packages.tsv,$^)
