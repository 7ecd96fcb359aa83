# SPDX-License-Identifier: GPL-2.0-or-later
# What runs before the OS: `provision` in stage 1, `stage2` as init of an OS's initrd.
provisioner-pure := $(addprefix provisioner/,sentence.c gpt.c assignment.c cpio.c cmdline.c) common/http-text.c common/home-choice.c common/user.c common/user-list.c
provisioner-install := $(addprefix provisioner/,sentence.c plan.c frame.c donor.c pool.c slot-data.c arrival.c patch.c install.c) common/seekable.c common/patch.c
verity-src := signing/verity.c $(sha256-src)

unit-tests += provisioner-formats-test
provisioner-formats-test-src := provisioner/test/formats.c $(provisioner-pure) provisioner/state.c provisioner/mark.c $(sha256-src) \
	$(common-core)
provisioner-formats-test-libs := -ljansson -lmbedcrypto

unit-tests += provisioner-sanitize-test
provisioner-sanitize-test-src := provisioner/test/sanitize.c $(provisioner-pure) $(addprefix provisioner/,clearing.c dmcrypt.c devmapper.c rest-key.c modules.c state.c mark.c) \
	common/home-disk.c $(sha256-src) $(common-core)
provisioner-sanitize-test-libs := -ljansson -lmbedcrypto -lsodium

unit-tests += provisioner-platform-test
provisioner-platform-test-src := provisioner/test/platform.c provisioner/platform.c provisioner/sentence.c $(common-tpm) $(sha256-src) $(common-core)
provisioner-platform-test-libs := -ljansson -lmbedcrypto -lpthread

unit-tests += provisioner-surroundings-test
provisioner-surroundings-test-src := provisioner/test/surroundings.c $(addprefix provisioner/,clock.c cmdline.c console.c pstore.c smbios.c) \
	common/tail.c $(common-core)
provisioner-surroundings-test-libs := -ljansson

unit-tests += provisioner-tries-test
provisioner-tries-test-src := provisioner/test/tries.c provisioner/tries.c common/probe.c provisioner/state.c provisioner/cmdline.c provisioner/mark.c $(sha256-src) \
	$(common-core)
provisioner-tries-test-libs := -ljansson -lmbedcrypto

unit-tests += provisioner-install-test
provisioner-install-test-src := provisioner/test/install.c $(provisioner-install) $(verity-src) $(common-core)
provisioner-install-test-libs := -ljansson -lmbedcrypto -lzstd

# The same code over real connections, for the script test and the benchmark: static like what a node runs, and with sanitizers.
install-slot-src := provisioner/test/install-slot.c $(provisioner-install) signing/description.c signing/canonical.c signing/json.c $(verity-src) $(common-core) \
	$(common-mirrors)
install-slot-libs := -lcurl -ljansson -lmbedtls -lmbedx509 -lmbedcrypto -lzstd
$(B)/test/install-slot: $(addprefix $(B)/obj/musl/,$(install-slot-src:.c=.o)) $(B)/obj/musl.flags $(musl-lib-stamps)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-musl) $(LDFLAGS-musl) -o $@ $(filter %.o,$^) $(install-slot-libs)
$(B)/test/install-slot-checked: $(addprefix $(B)/obj/test/,$(install-slot-src:.c=.o)) $(B)/obj/test.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-test) $(LDFLAGS-test) -o $@ $(filter %.o,$^) $(install-slot-libs)
objects += $(foreach t,musl test,$(addprefix $(B)/obj/$(t)/,$(install-slot-src:.c=.o)))

# From identity to assignment, over real TLS: with the libraries that a node has, for no other libcurl here shows a certificate from memory.
enrol-node-src := provisioner/test/enrol-node.c common/tail.c $(common-tpm) $(addprefix provisioner/,platform.c control.c credential.c enrol.c state.c config.c identify.c blockdev.c \
	console.c backoff.c tries.c) $(provisioner-pure) $(signing-verify) $(common-core) $(common-http)
enrol-node-libs := -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -ljansson -lsodium
$(B)/test/enrol-node: $(addprefix $(B)/obj/musl/,$(enrol-node-src:.c=.o)) $(B)/obj/musl.flags $(musl-lib-stamps)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-musl) $(LDFLAGS-musl) -o $@ $(filter %.o,$^) $(enrol-node-libs)
objects += $(addprefix $(B)/obj/musl/,$(enrol-node-src:.c=.o))

unit-tests += provisioner-credential-test
provisioner-credential-test-src := provisioner/test/credential.c provisioner/credential.c $(common-core)
provisioner-credential-test-libs := -ljansson -lmbedx509 -lmbedcrypto

fuzz-targets += credential
credential-src := provisioner/fuzz/credential.c provisioner/credential.c $(common-core)
credential-libs := -ljansson -lmbedx509 -lmbedcrypto
credential-corpus := provisioner/fuzz/corpus/credential

unit-tests += provisioner-starts-test
provisioner-starts-test-src := provisioner/test/starts.c $(addprefix provisioner/,fat.c load-option.c seal.c cpio.c mark.c cmdline.c gpt.c) \
	common/bytes.c common/file.c
provisioner-starts-test-libs := -lmbedcrypto

unit-tests += provisioner-plan-test
provisioner-plan-test-src := provisioner/test/plan.c provisioner/plan.c

unit-tests += provisioner-machine-test
provisioner-machine-test-src := provisioner/test/machine.c $(sha256-src) $(common-core) $(addprefix provisioner/,disk.c ram.c \
	blockdev.c gpt.c dmverity.c devmapper.c cmdline.c identify.c config.c backoff.c sentence.c) common/http-text.c
provisioner-machine-test-libs := -ljansson -lmbedx509 -lmbedcrypto

fuzz-targets += gpt state cmdline assignment smbios crash
crash-src := provisioner/fuzz/crash.c provisioner/pstore.c common/tail.c $(common-core)
crash-libs := -ljansson
crash-corpus := provisioner/fuzz/corpus/crash
smbios-src := provisioner/fuzz/smbios.c provisioner/smbios.c provisioner/cmdline.c common/bytes.c
smbios-corpus := provisioner/fuzz/corpus/smbios
gpt-src := provisioner/fuzz/gpt.c provisioner/gpt.c common/bytes.c
gpt-corpus := provisioner/fuzz/corpus/gpt
state-src := provisioner/fuzz/state.c provisioner/state.c $(sha256-src) $(common-core)
state-libs := -ljansson -lmbedcrypto
state-corpus := provisioner/fuzz/corpus/state
cmdline-src := provisioner/fuzz/cmdline.c provisioner/cmdline.c common/bytes.c
cmdline-corpus := provisioner/fuzz/corpus/cmdline
assignment-src := provisioner/fuzz/assignment.c provisioner/assignment.c common/http-text.c common/home-choice.c common/user.c common/user-list.c $(common-core)
assignment-libs := -ljansson
assignment-corpus := provisioner/fuzz/corpus/assignment

fuzz-targets += accounts
accounts-src := provisioner/fuzz/accounts.c provisioner/accounts.c provisioner/sentence.c common/user.c common/bytes.c common/file.c
accounts-corpus := provisioner/fuzz/corpus/accounts

unit-tests += provisioner-accounts-test
provisioner-accounts-test-src := provisioner/test/accounts.c provisioner/accounts.c provisioner/sentence.c common/user.c common/user-list.c $(common-core)
provisioner-accounts-test-libs := -ljansson

provisioner-disk := $(addprefix provisioner/,gpt.c blockdev.c dmverity.c devmapper.c cmdline.c sentence.c)

musl-programs += stage2
stage2-src := $(addprefix provisioner/,stage2.c accounts.c stage2-start.c ram.c watchdog.c cpio.c mark.c seal.c efivar.c load-option.c) \
	provisioner/dmcrypt.c $(provisioner-disk) common/home-disk.c common/user.c common/bytes.c common/file.c $(sha256-src)
stage2-libs := -lmbedcrypto

musl-programs += healthy
healthy-src := provisioner/healthy.c common/probe.c provisioner/disk.c provisioner/ram.c provisioner/state.c provisioner/tries.c \
	provisioner/watchdog.c $(provisioner-disk) $(sha256-src) $(common-core)
healthy-libs := -ljansson -lmbedcrypto

musl-programs += provision
provision-src := common/tail.c signing/authenticode.c $(common-tpm) $(addprefix provisioner/,said.c main.c platform.c console.c config.c identify.c control.c credential.c enrol.c trust.c fetch.c live.c boot.c reset.c disk.c \
	efivar.c fat.c load-option.c mark.c seal.c \
	backoff.c choose.c offline.c settings.c links.c ram.c clock.c settime.c smbios.c tries.c blockdev.c dmverity.c devmapper.c sanitize.c clearing.c rest.c rest-key.c modules.c dmcrypt.c state.c plan.c frame.c donor.c \
	pool.c pstore.c watchdog.c slot-data.c arrival.c patch.c install.c) common/patch.c $(provisioner-pure) \
	$(signing-verify) common/seekable.c common/home-disk.c $(common-core) $(common-http) common/http-mirrors.c
provision-libs := -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -ljansson -lsodium -lzstd

# A cache for a test, from Debian's package and without installing that: it would start a server at each boot.
$(B)/test/nginx/usr/sbin/nginx: | $(B)/apt/updated
	$(call say,FETCH,nginx)
	$(Q)mkdir -p $(B)/test/nginx
	$(Q)dpkg-deb -x "$$(B=$(B) packages/apt binary nginx | tail -n1)" $(B)/test/nginx

test-unit-needs += $(B)/target/provision $(B)/test/install-slot-checked $(B)/test/nginx/usr/sbin/nginx $(B)/test/enrol-node
script-tests += provisioner/test/rescue-test provisioner/test/enrol-test provisioner/test/hostile-server-test provisioner/test/http-cache-test
