# SPDX-License-Identifier: GPL-2.0-or-later
# Trees in, images out; and the repository that holds them.
host-programs += wire squash image-patch
wire-src := images/wire.c images/wire-encode.c images/wire-decode.c images/frames.c images/output.c \
	common/seekable.c common/bytes.c common/file.c common/log.c
wire-libs := -lzstd -lpthread
squash-src := images/squash-main.c images/squash.c common/bytes.c common/file.c common/log.c
squash-libs := -lsquashfs
image-patch-src := $(addprefix images/,patch-main.c patch-make.c difference.c layout.c frames.c output.c) common/patch.c \
	common/bytes.c common/file.c common/log.c
image-patch-libs := -lsquashfs -ldivsufsort -lzstd -lpthread

unit-tests += wire-test
wire-test-src := images/test/wire.c $(filter-out images/wire.c,$(wire-src))
wire-test-libs := -lzstd -lpthread

script-tests += images/test/build-image images/test/image-patch
test-unit-needs += $(B)/bin/wire $(B)/bin/squash $(B)/bin/image-patch
shell-scripts += images/test/build-image images/test/image-patch

image-oses := $(if $(CONFIG_OS_MINIMAL),minimal) $(if $(CONFIG_OS_DEBIAN),debian)
image-apps := $(if $(CONFIG_APP_WEB),web) $(if $(CONFIG_APP_CACHE),cache)
image-names := $(addprefix os-,$(image-oses)) $(foreach a,$(image-apps),$(addprefix app-$(a)-,$(image-oses)))
image-descriptions := $(image-names:%=$(B)/images/%.json)
image-compression := $(if $(CONFIG_IMAGE_COMPRESSION_LZO),lzo,$(if $(CONFIG_IMAGE_COMPRESSION_ZSTD),zstd,$(if \
	$(CONFIG_IMAGE_COMPRESSION_XZ),xz,wire)))
all-outputs += $(image-descriptions) $(B)/repository/published.stamp

$(B)/images/%.json: $(B)/rootfs/%.stamp images/build-image images/spdx $(B)/bin/wire $(B)/bin/squash \
		$(foreach c,LZO ZSTD XZ,$(B)/config/IMAGE_COMPRESSION_$(c))
	$(call say,IMAGE,$*)
	$(Q)images/build-image --bin $(B)/bin --compression $(image-compression) $(B)/rootfs/$* $(B)/images/$*

# The four files of an image come together, with one time stamp.
$(foreach n,$(image-names),$(eval $(addprefix $(B)/images/$(n),.img .img.zst .spdx.json): $(B)/images/$(n).json ;))

# Keys and repository of the developer's build. `add` leaves out what is there unchanged.
repave-sign = $(B)/bin/repave-sign $(1) --repository $(B)/repository --keys $(B)/keys
# The first root goes into every boot medium, so a newer program must not make it anew: order-only.
$(B)/repository/metadata/1.root.json: | $(B)/bin/repave-sign
	$(call say,KEYS,$(B)/keys)
	$(Q)$(call repave-sign,init) --no-passphrase

$(B)/repository/published.stamp: $(image-descriptions) $(B)/bin/repave-sign $(B)/bin/image-patch images/make-patches $(B)/images/names \
		$(B)/repository/metadata/1.root.json $(B)/config/PATCHES $(B)/config/PATCHES_FROM
	$(call say,PUBLISH,$(B)/repository)
	$(Q)$(call repave-sign,add) $(image-descriptions)
	$(Q)$(call repave-sign,publish)
	$(if $(CONFIG_PATCHES),$(call say,PATCHES,$(B)/repository))
	$(if $(CONFIG_PATCHES),$(Q)images/make-patches --bin $(B)/bin --keep $(call cfg,PATCHES_FROM) $(B)/repository)
	$(Q)touch $@

# The set of configured images is part of what is published.
$(B)/images/names: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(image-names)' | cmp -s - $@ || echo '$(image-names)' >$@
