# SPDX-License-Identifier: GPL-2.0-or-later
common-core := common/bytes.c common/file.c common/log.c common/json.c
common-http := common/http.c
common-tpm := common/tpm-command.c common/tpm-answer.c common/tpm-device.c common/attest.c common/attest-tpm.c
common-mirrors := common/http-mirrors.c common/http-text.c

unit-tests += common-test
common-test-src := common/test/common-test.c common/seekable.c $(common-core)
common-test-libs := -ljansson

unit-tests += common-http-test
common-http-test-src := common/test/http-test.c $(common-http) common/bytes.c
common-http-test-libs := -lcurl

unit-tests += common-tail-test
common-tail-test-src := common/test/tail-test.c common/tail.c

unit-tests += common-confine-test
common-confine-test-src := common/test/confine-test.c common/confine.c

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

# The same code as on a node, with sanitizers, against a software TPM.
tpm-node-src := common/test/tpm-node.c $(common-tpm) $(common-core)
$(B)/test/tpm-node: $(addprefix $(B)/obj/test/,$(tpm-node-src:.c=.o)) $(B)/obj/test.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-test) $(LDFLAGS-test) -o $@ $(filter %.o,$^) -ljansson
objects += $(addprefix $(B)/obj/test/,$(tpm-node-src:.c=.o))
test-unit-needs += $(B)/test/tpm-node
script-tests += common/test/tpm-works

unit-tests += common-tpm-test
common-tpm-test-src := common/test/tpm-test.c common/tpm-command.c common/tpm-answer.c common/attest.c $(common-core)
common-tpm-test-libs := -ljansson

fuzz-targets += tpm-answer attest-task
tpm-answer-src := common/fuzz/tpm-answer.c common/tpm-answer.c common/tpm-command.c
tpm-answer-corpus := common/fuzz/corpus/tpm-answer
attest-task-src := common/fuzz/attest-task.c common/attest.c $(common-core)
attest-task-libs := -ljansson
attest-task-corpus := common/fuzz/corpus/attest-task
