# SPDX-License-Identifier: GPL-2.0-or-later
# The stage-1 archive and the boot media.
boot-compression := $(if $(CONFIG_INITRAMFS_LZO),lzo,$(if $(CONFIG_INITRAMFS_XZ),xz,$(if $(CONFIG_INITRAMFS_GZIP),gzip,zstd)))
boot-base-options := --control-unit "$(call cfg,CONTROL_UNIT_ADDRESS)" --port "$(call cfg,CONTROL_UNIT_PORT)" \
	--repository-port "$(call cfg,REPOSITORY_PORT)" --slot-c-mib "$(call cfg,SLOT_C_MIB)" \
	--slot-d-mib "$(call cfg,SLOT_D_MIB)" --boot-tries "$(call cfg,BOOT_TRIES)" \
	--health-seconds "$(call cfg,HEALTH_SECONDS)" --proxy "$(call cfg,HTTP_PROXY)" \
	--grace-days "$(call cfg,UNREACHABLE_GRACE_DAYS)" \
	$(if $(CONFIG_UNREACHABLE_BOOT),--unreachable-seconds "$(call cfg,UNREACHABLE_SECONDS)") $(if $(CONFIG_CORRUPTION_RESTART),--restart-on-corruption) \
	$(if $(CONFIG_RESET_WITHOUT_KEXEC),--reset-without-kexec) $(if $(CONFIG_TPM_FLOOR),,--no-tpm-floor) --compress "$(boot-compression)" \
	$(if $(CONFIG_INITRAMFS_RESCUE_SHELL),--rescue-shell) \
	$(if $(CONFIG_INITRAMFS_DROPBEAR),--dropbear $(B)/packages/dropbear/sbin/dropbear --authorized-keys "$(call cfg,INITRAMFS_AUTHORIZED_KEYS)")
boot-keys := $(if $(CONFIG_INITRAMFS_DROPBEAR),$(wildcard $(call cfg,INITRAMFS_AUTHORIZED_KEYS)))
boot-payload := --kernel $(B)/boot/vmlinuz --initramfs $(B)/boot/initramfs.img --token $(B)/boot/token.cpio \
	--console "$(call cfg,CONSOLE)"
boot-payload-files := $(B)/boot/vmlinuz $(B)/boot/initramfs.img $(B)/boot/token.cpio $(B)/config/CONSOLE \
	initramfs/build-media

# Whose CA and join token they carry.
fleet-folder := $(or $(call cfg,FLEET_FOLDER),$(B)/fleet)
boot-archives := $(addprefix $(B)/boot/,vmlinuz initramfs-base.img initramfs.img token.cpio)
boot-media := $(if $(CONFIG_MEDIA_PXE),$(B)/boot/tftp.stamp) $(if $(CONFIG_MEDIA_ISO),$(B)/boot/repave.iso) \
	$(if $(CONFIG_MEDIA_DISK),$(B)/boot/repave-disk.img) \
	$(if $(CONFIG_MEDIA_UKI),$(B)/boot/repave.efi $(B)/boot/repave-esp.img $(B)/boot/repave.pcrs.json \
	$(if $(CONFIG_SECURE_BOOT),$(B)/boot/repave.pcrs.sig))
all-outputs += $(boot-archives) $(boot-media)
shell-scripts += $(addprefix initramfs/,init drivers network udhcpc-script remote-shell give-up profile)
script-tests += initramfs/test/archive-test initramfs/test/media-test initramfs/test/init-test

# ------------------------------------------------------------------ signatures
secure-boot-keys := $(or $(call cfg,SECURE_BOOT_KEYS),$(B)/secureboot)
secure-boot-needs := $(if $(CONFIG_SECURE_BOOT),$(secure-boot-keys)/db.key $(B)/bin/repave-sign) $(B)/config/SECURE_BOOT \
	$(B)/config/SECURE_BOOT_KEYS
# Other keys would have to be enrolled on every machine: made once, whatever becomes newer.
$(B)/secureboot/db.key: | $(B)/bin/repave-sign
	$(call say,KEYS,$(B)/secureboot)
	$(Q)$(B)/bin/repave-sign secureboot init --keys $(B)/secureboot --name "Repave trial" >/dev/null
ifneq ($(call cfg,SECURE_BOOT_KEYS),)
$(call cfg,SECURE_BOOT_KEYS)/db.key:
	$(Q)echo "error: there is no $@: make it with 'repave-sign secureboot init', or empty SECURE_BOOT_KEYS with 'make menuconfig'" >&2
	$(Q)false
endif
# $(1) from, $(2) to, $(3) further options: signed, or as it is.
sign-or-copy = $(if $(CONFIG_SECURE_BOOT),$(B)/bin/repave-sign secureboot sign --keys $(secure-boot-keys) $(3) --output $(2) $(1),\
	install -m 600 $(1) $(2))

# The kernel of the OS images. Stage 1's own stands in the signed unified image, and has no signature of ours by itself: with one,
# firmware would start it with any initrd and command line.
$(B)/boot/vmlinuz-os: $(B)/kernel/kernel.stamp $(secure-boot-needs)
	$(Q)mkdir -p $(@D)
	$(Q)$(call sign-or-copy,$(B)/kernel/vmlinuz,$@,--for-kexec)
	$(Q)chmod 644 $@ && touch $@

# ------------------------------------------------------------------ archives
$(B)/boot/initramfs-base.img: $(addprefix initramfs/,build-initramfs newc.py init drivers network udhcpc-script \
		remote-shell give-up profile) $(B)/target/provision $(B)/packages/busybox-initramfs.stamp $(boot-keys) \
		$(if $(CONFIG_INITRAMFS_DROPBEAR),$(B)/packages/dropbear.stamp) \
		$(B)/repository/metadata/1.root.json $(fleet-folder)/ca.pem \
		$(addprefix $(B)/config/,FLEET_FOLDER CONTROL_UNIT_ADDRESS CONTROL_UNIT_PORT REPOSITORY_PORT HTTP_PROXY SLOT_C_MIB SLOT_D_MIB \
		BOOT_TRIES HEALTH_SECONDS UNREACHABLE_BOOT UNREACHABLE_SECONDS UNREACHABLE_GRACE_DAYS CORRUPTION_RESTART RESET_WITHOUT_KEXEC TPM_FLOOR \
		INITRAMFS_ZSTD INITRAMFS_LZO INITRAMFS_XZ INITRAMFS_GZIP INITRAMFS_RESCUE_SHELL INITRAMFS_DROPBEAR \
		INITRAMFS_AUTHORIZED_KEYS)
	$(call say,INITRD,$@)
	$(Q)initramfs/build-initramfs base --busybox $(B)/packages/busybox-initramfs/bin/busybox \
		--provision $(B)/target/provision --root $(B)/repository/metadata/1.root.json --ca $(fleet-folder)/ca.pem \
		$(boot-base-options) --output $@

$(B)/boot/initramfs-modules.img: $(addprefix initramfs/,build-initramfs newc.py modules) packages/kernel-modules \
		$(B)/kernel/kernel.stamp $(addprefix $(B)/config/INITRAMFS_,ZSTD LZO XZ GZIP)
	$(call say,MODULES,$@)
	$(Q)initramfs/build-initramfs modules --kernel $(B)/kernel --list initramfs/modules \
		--compress "$(boot-compression)" --output $@

$(B)/boot/initramfs.img: $(B)/boot/initramfs-base.img $(B)/boot/initramfs-modules.img
	$(Q)cat $^ >$@

$(B)/boot/token.cpio: initramfs/build-initramfs initramfs/newc.py $(fleet-folder)/ca.pem $(B)/config/FLEET_FOLDER
	$(Q)initramfs/build-initramfs token --token $(fleet-folder)/join-token --output $@

$(B)/boot/vmlinuz: $(B)/kernel/kernel.stamp
	$(Q)mkdir -p $(@D) && install -m 644 $(B)/kernel/vmlinuz $@

# ------------------------------------------------------------------ media
$(B)/boot/tftp.stamp: $(boot-payload-files) $(if $(CONFIG_MEDIA_UKI),$(B)/boot/repave.efi) $(B)/config/MEDIA_UKI
	$(call say,MEDIA,$(B)/boot/tftp/)
	$(Q)initramfs/build-media tftp $(boot-payload) $(if $(CONFIG_MEDIA_UKI),--uki $(B)/boot/repave.efi) --output $(B)/boot/tftp
	$(Q)touch $@

$(B)/boot/repave.iso: $(boot-payload-files) $(if $(CONFIG_MEDIA_UKI),$(B)/boot/repave-esp.img) $(B)/config/MEDIA_UKI
	$(call say,MEDIA,$@)
	$(Q)initramfs/build-media iso $(boot-payload) $(if $(CONFIG_MEDIA_UKI),--esp $(B)/boot/repave-esp.img) --output $@

$(B)/boot/repave-disk.img: $(boot-payload-files)
	$(call say,MEDIA,$@)
	$(Q)initramfs/build-media disk $(boot-payload) --output $@

$(B)/boot/repave.unsigned.efi: $(boot-payload-files) $(addprefix $(B)/config/INITRAMFS_,RESCUE_SHELL DROPBEAR)
	$(call say,MEDIA,$@)
	$(Q)initramfs/build-media uki $(boot-payload) --kernel-version $(B)/kernel/version \
		$(if $(CONFIG_INITRAMFS_RESCUE_SHELL)$(CONFIG_INITRAMFS_DROPBEAR),--rescue) --output $@

$(B)/boot/repave.efi: $(B)/boot/repave.unsigned.efi $(secure-boot-needs)
	$(if $(CONFIG_SECURE_BOOT),$(call say,SIGN,$@))
	$(Q)$(call sign-or-copy,$<,$@)
	$(Q)touch $@

$(B)/boot/repave-esp.img: $(B)/boot/repave.efi initramfs/build-media
	$(call say,MEDIA,$@)
	$(Q)initramfs/build-media esp --uki $< --output $@

$(B)/boot/repave.pcrs.json: $(B)/boot/repave.efi initramfs/build-media $(B)/bin/repave-sign
	$(Q)initramfs/build-media pcrs --uki $< --repave-sign $(B)/bin/repave-sign --output $@

$(B)/boot/repave.pcrs.sig: $(B)/boot/repave.pcrs.json $(secure-boot-needs)
	$(Q)$(B)/bin/repave-sign secureboot sign-file --keys $(secure-boot-keys) --output $@ $<
