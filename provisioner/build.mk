# SPDX-License-Identifier: GPL-2.0-or-later
# What runs before the OS: `provision` in stage 1, `stage2` as init of an OS's initrd.
provisioner-pure := $(addprefix provisioner/,sentence.c gpt.c assignment.c cpio.c cmdline.c)
provisioner-install := $(addprefix provisioner/,sentence.c plan.c frame.c donor.c install.c) common/seekable.c
verity-src := signing/verity.c signing/sha256.c

unit-tests += provisioner-formats-test
provisioner-formats-test-src := provisioner/test/formats.c $(provisioner-pure) provisioner/state.c signing/sha256.c \
	$(common-core)
provisioner-formats-test-libs := -ljansson -lmbedcrypto

unit-tests += provisioner-surroundings-test
provisioner-surroundings-test-src := provisioner/test/surroundings.c $(addprefix provisioner/,clock.c cmdline.c console.c smbios.c) \
	$(common-core)
provisioner-surroundings-test-libs := -ljansson

unit-tests += provisioner-tries-test
provisioner-tries-test-src := provisioner/test/tries.c provisioner/tries.c provisioner/probe.c provisioner/state.c signing/sha256.c \
	$(common-core)
provisioner-tries-test-libs := -ljansson -lmbedcrypto

unit-tests += provisioner-install-test
provisioner-install-test-src := provisioner/test/install.c $(provisioner-install) $(verity-src) $(common-core)
provisioner-install-test-libs := -ljansson -lmbedcrypto -lzstd

unit-tests += provisioner-machine-test
provisioner-machine-test-src := provisioner/test/machine.c signing/sha256.c $(common-core) $(addprefix provisioner/,disk.c ram.c \
	blockdev.c gpt.c dmverity.c cmdline.c identify.c config.c backoff.c sentence.c)
provisioner-machine-test-libs := -ljansson -lmbedx509 -lmbedcrypto

fuzz-targets += gpt state cmdline assignment smbios
smbios-src := provisioner/fuzz/smbios.c provisioner/smbios.c provisioner/cmdline.c common/bytes.c
smbios-corpus := provisioner/fuzz/corpus/smbios
gpt-src := provisioner/fuzz/gpt.c provisioner/gpt.c common/bytes.c
gpt-corpus := provisioner/fuzz/corpus/gpt
state-src := provisioner/fuzz/state.c provisioner/state.c signing/sha256.c $(common-core)
state-libs := -ljansson -lmbedcrypto
state-corpus := provisioner/fuzz/corpus/state
cmdline-src := provisioner/fuzz/cmdline.c provisioner/cmdline.c common/bytes.c
cmdline-corpus := provisioner/fuzz/corpus/cmdline
assignment-src := provisioner/fuzz/assignment.c provisioner/assignment.c $(common-core)
assignment-libs := -ljansson
assignment-corpus := provisioner/fuzz/corpus/assignment

provisioner-disk := $(addprefix provisioner/,gpt.c blockdev.c dmverity.c cmdline.c sentence.c)

musl-programs += stage2
stage2-src := provisioner/stage2.c provisioner/ram.c provisioner/watchdog.c $(provisioner-disk) common/bytes.c common/file.c

musl-programs += healthy
healthy-src := provisioner/healthy.c provisioner/probe.c provisioner/disk.c provisioner/ram.c provisioner/state.c provisioner/tries.c \
	provisioner/watchdog.c $(provisioner-disk) signing/sha256.c $(common-core)
healthy-libs := -ljansson -lmbedcrypto

musl-programs += provision
provision-src := $(addprefix provisioner/,main.c console.c config.c identify.c control.c trust.c fetch.c boot.c disk.c \
	backoff.c choose.c offline.c settings.c ram.c clock.c settime.c smbios.c tries.c blockdev.c dmverity.c state.c plan.c frame.c donor.c install.c) $(provisioner-pure) \
	$(signing-verify) common/seekable.c $(common-core) $(common-http)
provision-libs := -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -ljansson -lsodium -lzstd
