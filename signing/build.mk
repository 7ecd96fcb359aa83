# SPDX-License-Identifier: GPL-2.0-or-later
# What a node links: verification only. signing/test/no-signing-in-nodes checks these objects with nm.
signing-verify := signing/sha256.c signing/verity.c signing/canonical.c signing/description.c signing/verified.c \
	signing/format.c signing/client.c
signing-verify-libs := -lmbedcrypto -lsodium -ljansson
