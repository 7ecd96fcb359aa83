# SPDX-License-Identifier: GPL-2.0-or-later
# What a node links: verification only. signing/test/no-signing-in-nodes checks these objects with nm.
signing-verify := signing/sha256.c signing/verity.c signing/canonical.c signing/description.c signing/verified.c \
	signing/format.c signing/client.c
signing-verify-libs := -lmbedcrypto -lsodium -ljansson

signing-author := signing/keys.c signing/author.c signing/image-check.c signing/repository.c signing/publish.c \
	signing/init.c signing/show.c

host-programs += repave-sign
repave-sign-src := signing/repave-sign.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)
repave-sign-libs := $(signing-verify-libs)

# Every test of this folder may forge, so all link the signing side too.
signing-test-common := signing/test/forge.c $(signing-author) $(signing-verify) common/seekable.c $(common-core)

unit-tests += signing-client-test
signing-client-test-src := signing/test/client-test.c $(signing-test-common)
signing-client-test-libs := $(signing-verify-libs)

unit-tests += signing-format-test
signing-format-test-src := signing/test/format-test.c $(signing-test-common)
signing-format-test-libs := $(signing-verify-libs)
