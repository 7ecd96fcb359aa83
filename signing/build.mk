# SPDX-License-Identifier: GPL-2.0-or-later
# What a node links: verification only. signing/test/no-signing-in-nodes checks these objects with nm.
signing-verify := signing/sha256.c signing/sha256-x86.c signing/sha256-lanes.c signing/verity.c signing/canonical.c signing/description.c signing/verified.c \
	signing/format.c signing/client.c
sha256-src := signing/sha256.c signing/sha256-x86.c signing/sha256-lanes.c
signing-verify-libs := -lmbedcrypto -lsodium -ljansson

signing-author := signing/keys.c signing/author.c signing/image-source.c signing/image-check.c signing/repository.c signing/publish.c \
	signing/init.c signing/show.c
# The signing side of host programs: link it with signing-verify, common-core and common/seekable.c.
signing-author-libs := $(signing-verify-libs) -lzstd

host-programs += repave-sign
repave-sign-src := signing/repave-sign.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)
repave-sign-libs := $(signing-author-libs)

# The vectors' speed hangs on the compiler's scheduling: on a node too this file is for speed, not size.
$(B)/obj/musl/signing/sha256-lanes.o: CFLAGS-musl += -O3

unit-tests += signing-sha256-test
signing-sha256-test-src := signing/test/sha256-test.c signing/verity.c $(sha256-src)
signing-sha256-test-libs := -lmbedcrypto

# Every test of this folder may forge, so all link the signing side too.
signing-test-common := signing/test/forge.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)

unit-tests += signing-client-test
signing-client-test-src := signing/test/client-test.c $(signing-test-common)
signing-client-test-libs := $(signing-author-libs)

unit-tests += signing-format-test
signing-format-test-src := signing/test/format-test.c $(signing-test-common)
signing-format-test-libs := $(signing-author-libs)

unit-tests += signing-description-test
signing-description-test-src := signing/test/description-test.c $(signing-test-common)
signing-description-test-libs := $(signing-author-libs)

fuzz-targets += tuf-metadata
tuf-metadata-src := signing/fuzz/tuf-metadata.c $(signing-verify) $(common-core)
tuf-metadata-libs := $(signing-verify-libs)
tuf-metadata-corpus := signing/fuzz/corpus/tuf-metadata

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

test-unit-needs += $(B)/test/verity-check $(B)/bin/repave-sign
script-tests += signing/test/repave-sign-test signing/test/verity-vectors signing/test/no-signing-in-nodes
shell-scripts += signing/test/repave-sign-test signing/test/verity-vectors signing/test/no-signing-in-nodes

unit-tests += signing-repository-test
signing-repository-test-src := signing/test/repository-test.c $(signing-test-common)
signing-repository-test-libs := $(signing-author-libs)
