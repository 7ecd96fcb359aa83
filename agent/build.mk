# SPDX-License-Identifier: GPL-2.0-or-later
# What runs in the OS beside the application: measures, reports, obeys.
agent-pure := $(addprefix agent/,measure.c tcp.c session.c sensors.c login.c order.c channel.c report.c http-answer.c)
agent-io := $(addprefix agent/,tls.c http.c transport.c verity.c gather.c logs.c look.c actions.c prober.c options.c main.c)

musl-programs += agent
agent-src := $(agent-pure) $(agent-io) common/probe.c $(common-core)
agent-libs := $(addprefix $(B)/packages/mbedtls-agent/lib/,libmbedtls.a libmbedx509.a libmbedcrypto.a) -ljansson -lm
# Its TLS library is a small one, so what includes that one's headers must see its configuration; `private`: nothing else.
$(B)/obj/musl/agent/tls.o: private CFLAGS-musl += -DMBEDTLS_CONFIG_FILE='"packages/config/mbedtls-agent.h"'
$(B)/obj/musl/agent/tls.o: packages/config/mbedtls-agent.h
$(B)/target/agent: $(B)/packages/mbedtls-agent.stamp
$(B)/packages/mbedtls-agent.stamp: packages/config/mbedtls-agent.h
