# SPDX-License-Identifier: GPL-2.0-or-later
control-api := control/names.c control/assignment.c control/node-request.c control/resolve.c control/model.c
control-state := control/state.c control/pki.c control/store-sqlite.c
control-core := $(control-api) control/fleet.c control/catalogue.c control/control.c control/route.c control/node-api.c \
	control/operator-api.c control/repository.c control/http-server.c control/listener.c
control-pki-libs := -lmbedx509 -lmbedcrypto

host-programs += repaved repave
repaved-src := control/repaved.c control/trust.c $(control-core) $(control-state) $(common-core) $(signing-verify)
repaved-libs := -lmicrohttpd -lsqlite3 $(control-pki-libs) $(signing-verify-libs) -lpthread
repave-src := control/repave.c control/cli.c control/cli-show.c control/cli-assign.c $(control-api) $(control-state) \
	$(common-core) $(common-http)
repave-libs := -lcurl -lsqlite3 $(control-pki-libs) -ljansson

# The developer's fleet: made once, kept until distclean. Boot media carry its CA and token, so a newer program must not
# make it anew: order-only.
$(B)/fleet/ca.pem: | $(B)/bin/repave
	$(call say,FLEET,$(@D))
	$(Q)$(B)/bin/repave init --state $(B)/fleet >/dev/null

all-outputs += $(B)/fleet/ca.pem

script-tests += control/test/repaved-works
test-unit-needs += $(B)/bin/repaved $(B)/bin/repave $(B)/bin/repave-sign
