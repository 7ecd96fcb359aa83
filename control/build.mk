# SPDX-License-Identifier: GPL-2.0-or-later
control-api := control/names.c control/starts.c control/assignment.c control/node-request.c control/resolve.c control/model.c \
	common/http-text.c
control-store := control/store-sqlite.c control/store-schema.c control/store-backup.c control/store-records.c control/records.c
control-state := control/state.c control/pki.c control/csr.c control/secret.c $(control-store)
control-core := $(control-api) control/fleet.c control/identity.c control/registry.c control/throttle.c control/access.c \
	control/operator-identity.c control/chores.c control/served.c control/catalogue.c control/renewal.c \
	control/online-keys.c control/keeper.c control/control.c control/route.c control/node-api.c \
	control/operator-api.c control/repository.c control/http-server.c control/listener.c control/meters.c control/metrics.c control/health.c
control-pki-libs := -lmbedx509 -lmbedcrypto

host-programs += repaved repave
# The signing side for snapshot and timestamp; the keys of the other roles are elsewhere.
repaved-src := control/repaved.c control/notify.c control/options.c control/trust.c $(control-core) $(control-state) common/seekable.c $(common-core) \
	signing/folder.c $(signing-author) $(signing-verify)
repaved-libs := -lmicrohttpd -lgnutls -lsqlite3 $(control-pki-libs) $(signing-author-libs) -lpthread
repave-src := control/repave.c control/cli.c control/cli-show.c control/cli-assign.c control/cli-watch.c control/watch.c \
	control/cli-identity.c control/cli-journal.c control/cli-netboot.c \
	control/cli-complete.c control/complete.c $(control-api) $(control-state) \
	$(common-core) $(common-http)
repave-libs := -lcurl -lsqlite3 $(control-pki-libs) -ljansson

# The developer's fleet: made once, kept until clean. Boot media carry its CA and token, so a newer program must not
# make it anew: order-only.
$(B)/fleet/ca.pem: | $(B)/bin/repave
	$(call say,FLEET,$(@D))
	$(Q)$(B)/bin/repave init --state $(B)/fleet >/dev/null

all-outputs += $(B)/fleet/ca.pem
ifneq ($(call cfg,FLEET_FOLDER),)
$(call cfg,FLEET_FOLDER)/ca.pem:
	$(Q)echo "There is no fleet in $(@D): make one with 'repave init --state $(@D)', or choose another folder (make menuconfig)" >&2; exit 1
endif

script-tests += control/test/repaved-works control/test/watch-works control/test/identity-works control/test/openapi-works control/test/metrics-works \
	control/test/upgrade-works
test-unit-needs += $(B)/bin/repaved $(B)/bin/repave $(B)/bin/repave-sign

unit-tests += control-names-test control-fleet-test
control-names-test-src := control/test/names-test.c control/names.c control/route.c control/repository.c \
	control/http-server.c control/meters.c $(common-core)
control-names-test-libs := -lmicrohttpd -lgnutls -ljansson
control-fleet-test-src := control/test/fleet-test.c control/fleet.c $(control-store) $(control-api) $(common-core)
control-fleet-test-libs := -lsqlite3 -ljansson
unit-tests += control-starts-test
control-starts-test-src := control/test/starts-test.c control/starts.c control/names.c $(common-core)
control-starts-test-libs := -ljansson

unit-tests += control-identity-test control-store-test
control-identity-test-src := control/test/identity-test.c control/identity.c control/throttle.c control/records.c
control-identity-test-libs := -ljansson
control-store-test-src := control/test/store-test.c control/fleet.c $(control-store) $(control-api) $(common-core)
control-store-test-libs := -lsqlite3 -ljansson

fuzz-targets += control-node-request control-assignment control-enrol-request
control-enrol-request-src := control/fuzz/enrol-request.c control/node-request.c control/csr.c control/secret.c control/starts.c \
	control/names.c $(common-core)
control-enrol-request-libs := $(control-pki-libs) -ljansson -lm
control-enrol-request-corpus := control/fuzz/corpus/enrol-request
control-node-request-src := control/fuzz/node-request.c control/node-request.c control/starts.c control/names.c $(common-core)
control-node-request-libs := -ljansson -lm
control-node-request-corpus := control/fuzz/corpus/node-request
control-assignment-src := control/fuzz/assignment.c control/assignment.c control/starts.c control/names.c common/http-text.c $(common-core)
control-assignment-libs := -ljansson
control-assignment-corpus := control/fuzz/corpus/assignment

unit-tests += control-renewal-test
control-renewal-test-src := control/test/renewal-test.c control/renewal.c control/names.c $(signing-verify) $(common-core)
control-renewal-test-libs := $(signing-verify-libs)
script-tests += control/test/repository-kept

unit-tests += control-complete-test
control-complete-test-src := control/test/complete-test.c control/complete.c
