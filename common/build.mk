# SPDX-License-Identifier: GPL-2.0-or-later
common-core := common/bytes.c common/file.c common/log.c common/json.c
common-http := common/http.c
common-mirrors := common/http-mirrors.c common/http-text.c

unit-tests += common-test
common-test-src := common/test/common-test.c common/seekable.c $(common-core)
common-test-libs := -ljansson

unit-tests += common-http-test
common-http-test-src := common/test/http-test.c $(common-http) common/bytes.c
common-http-test-libs := -lcurl

unit-tests += common-tail-test
common-tail-test-src := common/test/tail-test.c common/tail.c

unit-tests += common-home-disk-test
common-home-disk-test-src := common/test/home-disk-test.c common/home-disk.c common/bytes.c common/file.c

fuzz-targets += home-mark
home-mark-src := common/fuzz/home-mark.c common/home-disk.c common/bytes.c common/file.c
home-mark-corpus := common/fuzz/corpus/home-mark

unit-tests += common-home-choice-test
common-home-choice-test-src := common/test/home-choice-test.c common/home-choice.c

fuzz-targets += home-choice
home-choice-src := common/fuzz/home-choice.c common/home-choice.c
home-choice-corpus := common/fuzz/corpus/home-choice

fuzz-targets += seekable
seekable-src := common/fuzz/seekable.c common/seekable.c
seekable-corpus := common/fuzz/corpus/seekable

fuzz-targets += content-range
content-range-src := common/fuzz/content-range.c common/http-text.c common/bytes.c
content-range-corpus := common/fuzz/corpus/content-range

unit-tests += common-patch-test
common-patch-test-src := common/test/patch-test.c common/patch.c common/bytes.c

fuzz-targets += patch
patch-src := common/fuzz/patch.c common/patch.c common/bytes.c
patch-corpus := common/fuzz/corpus/patch
