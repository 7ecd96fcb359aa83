# SPDX-License-Identifier: GPL-2.0-or-later
# What runs in the OS beside the application: measures, reports, obeys.
agent-pure := $(addprefix agent/,measure.c tcp.c session.c sensors.c login.c order.c channel.c report.c http-answer.c exposition.c addresses.c)
agent-io := $(addprefix agent/,tls.c http.c sandbox.c transport.c verity.c gather.c attest.c logs.c look.c actions.c prober.c exporter.c request.c options.c main.c) common/tail.c $(common-tpm) common/confine.c

musl-programs += agent
agent-src := $(agent-pure) $(agent-io) common/probe.c $(common-core)
agent-libs := $(addprefix $(B)/packages/mbedtls-agent/lib/,libmbedtls.a libmbedx509.a libmbedcrypto.a) -ljansson -lm
# Its TLS library is a small one, so what includes that one's headers must see its configuration; `private`: nothing else.
$(B)/obj/musl/agent/tls.o: private CFLAGS-musl += -DMBEDTLS_CONFIG_FILE='"packages/config/mbedtls-agent.h"'
$(B)/obj/musl/agent/tls.o: packages/config/mbedtls-agent.h
$(B)/target/agent: $(B)/packages/mbedtls-agent.stamp
$(B)/packages/mbedtls-agent.stamp: packages/config/mbedtls-agent.h

unit-tests += agent-measure-test agent-sensors-test agent-channel-test agent-sandbox-test
agent-sandbox-test-src := agent/test/sandbox-test.c agent/sandbox.c
agent-measure-test-src := agent/test/measure-test.c $(addprefix agent/,measure.c tcp.c session.c) $(common-core)
agent-measure-test-libs := -ljansson
agent-sensors-test-src := agent/test/sensors-test.c $(addprefix agent/,sensors.c login.c tcp.c) $(common-core)
agent-sensors-test-libs := -ljansson
agent-channel-test-src := agent/test/channel-test.c $(agent-pure) $(addprefix agent/,http.c tls.c) $(common-core)
agent-channel-test-libs := -ljansson -lmbedtls -lmbedx509 -lmbedcrypto -lm

unit-tests += agent-exposition-test
agent-exposition-test-src := agent/test/exposition-test.c agent/exposition.c $(common-core)
agent-exposition-test-libs := -ljansson
fuzz-targets += agent-metrics-request
agent-metrics-request-src := agent/fuzz/metrics-request.c agent/exposition.c $(common-core)
agent-metrics-request-libs := -ljansson
agent-metrics-request-corpus := agent/fuzz/corpus/metrics-request
fuzz-targets += agent-http-answer agent-control-answer agent-machine-text
agent-http-answer-src := agent/fuzz/http-answer.c agent/http-answer.c common/bytes.c
agent-http-answer-corpus := agent/fuzz/corpus/http-answer
agent-control-answer-src := agent/fuzz/control-answer.c $(agent-pure) $(common-core)
agent-control-answer-libs := -ljansson -lm
agent-control-answer-corpus := agent/fuzz/corpus/control-answer
agent-machine-text-src := agent/fuzz/machine-text.c $(agent-pure) $(common-core)
agent-machine-text-libs := -ljansson -lm
agent-machine-text-corpus := agent/fuzz/corpus/machine-text

# The same program with sanitizers, for the script test.
$(B)/test/agent-checked: $(addprefix $(B)/obj/test/,$(agent-src:.c=.o)) $(B)/obj/test.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC-test) $(LDFLAGS-test) -o $@ $(filter %.o,$^) -lmbedtls -lmbedx509 -lmbedcrypto -ljansson -lm
objects += $(addprefix $(B)/obj/test/,$(agent-src:.c=.o))

# Against a real TLS server, with the ssh server and the log daemon of the minimal OS.
script-tests += agent/test/agent-works
test-unit-needs += $(B)/target/agent $(B)/test/agent-checked $(B)/packages/busybox.stamp $(B)/packages/dropbear.stamp
