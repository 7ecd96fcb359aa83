# SPDX-License-Identifier: GPL-2.0-or-later
# What a node links: verification only. signing/test/no-signing-in-nodes checks these objects with nm.
sha256-src := signing/sha256.c signing/sha256-x86.c signing/sha256-lanes.c
signing-verify := $(sha256-src) signing/verity.c signing/description.c signing/verified.c signing/json.c \
	signing/canonical.c signing/verify-key.c signing/format.c signing/form.c signing/signatures.c signing/delegation.c \
	signing/glob.c signing/client.c signing/search.c
signing-verify-libs := -lmbedcrypto -lsodium -ljansson

signing-author := signing/document-json.c signing/keys.c signing/key-file.c signing/keyring.c signing/passphrase.c signing/author.c \
	signing/signers.c signing/store.c signing/roles.c signing/presence.c signing/image-source.c signing/image-check.c signing/repository.c \
	signing/publish.c signing/init.c
# The signing side of host programs: link it with signing-verify, common-core and common/seekable.c.
signing-author-libs := $(signing-verify-libs) -lzstd

host-programs += repave-sign
repave-sign-src := signing/repave-sign.c signing/command-repository.c signing/command-roles.c signing/command-key.c \
	signing/command-secureboot.c signing/secureboot.c signing/authenticode.c signing/tool.c \
	signing/edit.c signing/payload.c signing/show.c signing/difference.c signing/check.c signing/prune.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)
repave-sign-libs := -lmbedx509 $(signing-author-libs)

# The vectors' speed hangs on the compiler's scheduling: on a node too this file is for speed, not size.
$(B)/obj/musl/signing/sha256-lanes.o: CFLAGS-musl += -O3

unit-tests += signing-sha256-test
signing-sha256-test-src := signing/test/sha256-test.c signing/verity.c $(sha256-src)
signing-sha256-test-libs := -lmbedcrypto

# A plain TUF client for the command line.
signing-fetch := signing/folder.c signing/download.c
host-programs += repave-tuf
repave-tuf-src := signing/repave-tuf.c $(signing-fetch) $(signing-verify) $(common-core) $(common-http)
repave-tuf-libs := $(signing-verify-libs) -lcurl
test-unit-needs += $(B)/bin/repave-tuf
script-tests += signing/test/repave-tuf-test
shell-scripts += signing/test/repave-tuf-test

# Every test of this folder may forge, so all link the signing side too.
signing-test-common := signing/test/forge.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)

unit-tests += signing-client-test
signing-client-test-src := signing/test/client-test.c signing/folder.c $(signing-test-common)
signing-client-test-libs := $(signing-author-libs)

unit-tests += signing-search-test
signing-search-test-src := signing/test/search-test.c $(signing-test-common)
signing-search-test-libs := $(signing-author-libs)

unit-tests += signing-format-test
signing-format-test-src := signing/test/format-test.c $(signing-test-common)
signing-format-test-libs := $(signing-author-libs)

unit-tests += signing-json-test
signing-json-test-src := signing/test/json-test.c signing/test/tree-oracle.c signing/document-json.c $(signing-verify) $(common-core)
signing-json-test-libs := $(signing-verify-libs)

unit-tests += signing-document-test
signing-document-test-src := signing/test/document-test.c signing/document-json.c $(signing-verify) $(common-core)
signing-document-test-libs := $(signing-verify-libs)

unit-tests += signing-memory-test
signing-memory-test-src := signing/test/memory-test.c $(signing-verify) $(common-core)
signing-memory-test-libs := $(signing-verify-libs) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

unit-tests += signing-keys-test
signing-keys-test-src := signing/test/keys-test.c signing/document-json.c $(signing-verify) $(common-core)
signing-keys-test-libs := $(signing-verify-libs)

unit-tests += signing-description-test
signing-description-test-src := signing/test/description-test.c $(signing-test-common)
signing-description-test-libs := $(signing-author-libs)

fuzz-targets += tree canonical glob tuf-key tuf-root tuf-timestamp tuf-snapshot tuf-targets
tree-src := signing/fuzz/tree.c signing/test/tree-oracle.c $(signing-verify) $(common-core)
canonical-src := signing/fuzz/canonical.c $(signing-verify) $(common-core)
glob-src := signing/fuzz/glob.c signing/glob.c
tuf-key-src := signing/fuzz/tuf-key.c $(signing-verify) $(common-core)
tuf-root-src := signing/fuzz/tuf-root.c signing/fuzz/document.c $(signing-verify) $(common-core)
tuf-timestamp-src := signing/fuzz/tuf-timestamp.c signing/fuzz/document.c $(signing-verify) $(common-core)
tuf-snapshot-src := signing/fuzz/tuf-snapshot.c signing/fuzz/document.c $(signing-verify) $(common-core)
tuf-targets-src := signing/fuzz/tuf-targets.c signing/fuzz/document.c $(signing-verify) $(common-core)
$(foreach t,tree canonical tuf-key tuf-root tuf-timestamp tuf-snapshot tuf-targets,$(eval $(t)-libs := $(signing-verify-libs)))
$(foreach t,tree canonical glob tuf-key tuf-root tuf-timestamp tuf-snapshot tuf-targets,\
	$(eval $(t)-corpus := signing/fuzz/corpus/$(t)))

# The attacker has what honest people signed, so this one signs too.
fuzz-targets += tuf-client
tuf-client-src := signing/fuzz/tuf-client.c $(signing-test-common)
tuf-client-libs := $(signing-author-libs) -lcmocka
tuf-client-corpus := signing/fuzz/corpus/tuf-client

fuzz-targets += image-description
image-description-src := signing/fuzz/image-description.c $(signing-verify) $(common-core)
image-description-libs := $(signing-verify-libs)
image-description-corpus := signing/fuzz/corpus/image-description

# A small program for the script test verity-vectors; without arguments it isn't a test of its own.
verity-check-objects := $(addprefix $(B)/obj/test/,signing/test/verity-check.o signing/verity.o $(sha256-src:.c=.o) \
	common/bytes.o common/file.o)
$(B)/test/verity-check: $(verity-check-objects) $(B)/obj/test.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-test) $(LDFLAGS-test) -o $@ $(verity-check-objects) -lmbedcrypto
objects += $(verity-check-objects)

# The same for the script test reference.
answer-objects := $(addprefix $(B)/obj/test/,$(patsubst %.c,%.o,signing/test/answer.c $(signing-verify) $(common-core)))
$(B)/test/answer: $(answer-objects) $(B)/obj/test.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-test) $(LDFLAGS-test) -o $@ $(answer-objects) $(signing-verify-libs)
objects += $(answer-objects)
test-unit-needs += $(B)/test/answer
script-tests += signing/test/reference

test-unit-needs += $(B)/test/verity-check $(B)/bin/repave-sign
script-tests += signing/test/ceremony signing/test/repave-sign-test signing/test/man-test signing/test/verity-vectors signing/test/no-signing-in-nodes
shell-scripts += signing/test/repave-sign-test signing/test/verity-vectors signing/test/no-signing-in-nodes

script-tests += signing/test/secureboot-test
shell-scripts += signing/test/secureboot-test
test-unit-needs += $(B)/kernel/kernel.stamp

unit-tests += signing-authenticode-test
signing-authenticode-test-src := signing/test/authenticode-test.c signing/authenticode.c $(sha256-src) common/bytes.c
signing-authenticode-test-libs := -lmbedcrypto

fuzz-targets += authenticode
authenticode-src := signing/fuzz/authenticode.c signing/authenticode.c $(sha256-src) common/bytes.c
authenticode-libs := -lmbedcrypto
authenticode-corpus := signing/fuzz/corpus/authenticode

unit-tests += signing-repository-test
signing-repository-test-src := signing/test/repository-test.c signing/edit.c signing/payload.c signing/show.c \
	signing/difference.c $(signing-test-common)
signing-repository-test-libs := $(signing-author-libs)

# Takes each check out and looks whether a test notices: signing/test/mutations is the list.
.PHONY: test-mutations
test-mutations: | $(B)/deps.stamp
	$(Q)signing/test/mutation
test-long: test-mutations

comma := ,
# Calls that change files go through the test, which lets each of them fail once.
unit-tests += signing-crash-test
signing-crash-test-src := signing/test/crash-test.c signing/edit.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)
signing-crash-test-libs := $(signing-author-libs) $(foreach f,write mkostemp fsync rename renameat2 linkat mkdir unlink \
	unlinkat,-Wl$(comma)--wrap=$(f))

unit-tests += signing-key-file-test
signing-key-file-test-src := signing/test/key-file-test.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)
signing-key-file-test-libs := $(signing-author-libs)

fuzz-targets += key-file
key-file-src := signing/fuzz/key-file.c signing/key-file.c signing/keys.c signing/document-json.c $(signing-verify) $(common-core)
key-file-libs := $(signing-verify-libs)
key-file-corpus := signing/fuzz/corpus/key-file
