# SPDX-License-Identifier: GPL-2.0-or-later
# The rule matrix and what a group wants
control-rules := control/rules.c control/policy.c control/calendar.c control/attest-policy.c
control-rules-libs := -lglib-2.0 -lm
control-http := control/http-server.c control/http-connections.c control/http-peer.c
control-api := common/home-choice.c control/history.c common/user.c common/user-list.c control/names.c control/life.c control/live.c control/agent-status.c control/order.c control/starts.c \
	control/assignment.c control/node-request.c control/resolve.c control/model.c control/alarm-record.c control/groups.c control/decision-settings.c \
	control/attest-record.c $(control-rules) common/http-text.c
control-store := control/store-sqlite.c control/store-trouble.c control/store-check.c control/store-schema.c control/store-backup.c control/store-records.c \
	control/store-channel.c control/records.c
control-core := $(control-api) control/fleet.c control/identity.c control/registry.c control/foreign.c control/throttle.c control/access.c \
	control/operator-answer.c control/operator-identity.c control/operator-orders.c control/chores.c control/served.c control/catalogue.c \
	control/renewal.c control/online-keys.c control/keeper.c control/control.c control/route.c control/node-api.c \
	control/lifecycle.c control/holds.c control/orders.c control/agent-api.c control/monitor.c \
	control/operator-api.c control/repository.c $(control-http) control/listener.c
control-cli := control/repave.c control/cli.c control/cli-show.c control/cli-assign.c control/cli-watch.c control/cli-screen.c control/watch.c \
	control/cli-identity.c control/cli-journal.c control/cli-orders.c

# Power
control-store += control/store-power.c control/power-record.c
control-core += control/operator-power.c
control-power := control/power.c control/power-settings.c control/power-job.c control/power-ipmi.c control/power-redfish.c control/power-text.c
control-cli += control/cli-power.c

# Groups and balancer
control-store += control/store-groups.c
control-haproxy := control/haproxy.c control/haproxy-config.c control/haproxy-notice.c
control-balancer := $(control-haproxy) control/haproxy-socket.c control/balancer.c control/cutter.c control/fleet-plan.c \
	control/operator-balancer.c
control-core += $(control-balancer) control/handover.c
control-cli += control/cli-apply.c control/cli-balancer.c control/fleet-file.c control/fleet-check.c

# Restarts
control-store += control/store-alarms.c control/store-restarts.c control/restart-record.c control/restart.c control/restart-cut.c
control-core += control/operator-restarts.c control/place.c control/dispatch.c control/dispatch-deeds.c \
	control/dispatch-view.c control/dispatch-saved.c control/dispatch-people.c control/dispatch-advance.c control/dispatch-cut.c control/peers.c control/alarm.c control/evidence.c \
	control/evidence-piece.c control/operator-alarms.c
control-cli += control/cli-restart.c control/cli-life.c control/cli-alarm.c control/cli-evidence.c
# What nodes prove by their TPMs
control-tpm := control/tpm-format.c control/tpm-log.c control/tpm-crypto.c control/tpm-judge.c control/attest-request.c
control-store += control/store-attest.c
control-core += $(control-tpm) control/tpm-trust.c control/attest-state.c control/attestation.c control/attestation-gate.c control/operator-tpm.c
control-cli += control/cli-tpm.c
# Decisions of people
control-planned := control/planned.c control/hints.c
control-core += control/requests.c control/operator-requests.c $(control-planned) control/people.c control/people-plan.c control/user-request.c \
	control/operator-people.c
control-cli += control/cli-requests.c control/cli-people.c
# Campaigns, exemptions and the report for auditors
control-campaigns := control/moment.c control/reimage-plan.c control/report.c control/report-signature.c
control-store += control/store-campaigns.c control/campaign.c
control-core += $(control-campaigns) control/campaigns.c control/campaign-view.c control/reimage-report.c control/report-key.c control/operator-campaigns.c
control-cli += control/cli-reimage.c control/cli-report.c control/moment.c control/report-signature.c
# Whose data servers hold
control-store += control/store-tenancy.c control/sanitizing.c
control-core += control/tenancy.c control/attestation-gate.c control/sanitizing-record.c control/operator-tenancy.c
control-cli += control/cli-sanitize.c
# Decisions
control-store += control/store-journal.c
control-decide := control/decide.c control/decide-picture.c control/decide-choice.c control/decide-nodes.c control/decide-groups.c
control-core += $(control-decide) control/snapshot-text.c control/trend.c control/snapshot.c control/learned.c control/replacement.c control/journal.c control/deeds.c control/idle.c \
	control/decider.c control/decider-deeds.c control/operator-decisions.c
control-cli += $(control-decide) control/snapshot-text.c control/cli-decisions.c control/cli-rules.c
# Logs
control-store += control/store-logs.c control/node-log.c
control-core += control/operator-logs.c
control-cli += control/cli-logs.c

# Messages
control-store += control/store-messages.c
control-messages := control/messages.c control/message-text.c
control-core += $(control-messages) control/message-program.c control/message-send.c control/message-desk.c control/messenger.c \
	control/operator-messages.c
control-cli += control/cli-notify.c control/messages.c
script-tests += control/test/messages-works
unit-tests += control-messages-test
control-messages-test-src := control/test/messages-test.c $(control-messages) control/message-desk.c control/fleet.c control/handover.c $(control-store) \
	$(control-api) $(common-core)
control-messages-test-libs = -lzstd -lsqlite3 -ljansson -lcurl $(control-rules-libs)
fuzz-targets += control-messages
control-messages-src := control/fuzz/messages.c $(control-messages) control/records.c control/names.c $(common-core)
control-messages-libs := -ljansson -lcurl
control-messages-corpus := control/fuzz/corpus/messages

# Monitors
control-store += control/store-relays.c
control-core += control/relays.c control/relay-api.c control/operator-monitors.c
control-cli += control/cli-monitor.c
host-programs += repave-monitor
repave-monitor-src := control/repave-monitor.c common/confine.c control/upstream.c control/notify.c control/listener.c $(control-http) \
	control/meters.c control/route.c control/names.c $(common-core)
repave-monitor-libs := -lmicrohttpd -lgnutls -lcurl -ljansson -lpthread

# Installing
control-cli += control/cli-backup.c control/backup.c control/restore.c control/unpack.c control/backup-format.c control/cli-netboot.c control/cli-complete.c control/complete.c
control-core += control/operator-life.c control/probe-record.c control/prober.c control/meters.c control/metrics.c control/health.c

control-state := control/state.c control/pki.c control/csr.c control/secret.c control/sealed.c $(control-store)
control-pki-libs := -lmbedx509 -lmbedcrypto

host-programs += repaved repave
# The signing side for snapshot and timestamp; the keys of the other roles are elsewhere.
repaved-src := control/repaved.c common/confine.c control/gate.c control/entitled.c control/notify.c control/options.c control/trust.c $(control-core) $(control-power) $(control-state) common/seekable.c $(common-core) \
	signing/folder.c $(signing-author) $(signing-verify)
repaved-libs := -lmicrohttpd -lgnutls -lcurl -lsqlite3 $(control-pki-libs) $(signing-author-libs) $(control-rules-libs) -lpthread
repave-src := $(control-cli) control/planned.c $(control-api) $(control-state) $(common-core) $(common-http)
repave-libs := -lcurl -lyaml -lsqlite3 -lzstd $(control-pki-libs) -lsodium -ljansson $(control-rules-libs)

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

script-tests += control/test/monitor-works control/test/attestation-works
test-unit-needs += $(B)/bin/repave-monitor
script-tests += control/test/repaved-works control/test/watch-works control/test/identity-works control/test/agent-channel-works
test-unit-needs += $(B)/target/agent $(B)/bin/repaved $(B)/bin/repave $(B)/bin/repave-sign
script-tests += control/test/alarms-work control/test/power-works control/test/balancer-works control/test/openapi-works control/test/metrics-works control/test/upgrade-works

# A sample of each attack; a minute and a half of each, with the end of slow senders, is for test-long.
script-tests += control/test/hostile-clients-works
.PHONY: test-hostile
test-hostile: $(B)/bin/repaved $(B)/bin/repave $(B)/bin/repave-sign
	$(Q)B=$(abspath $(B)) control/test/hostile-clients-works 90
test-long: test-hostile
unit-tests += control-probe-test
control-probe-test-src := control/test/probe-test.c control/probe-record.c
fuzz-targets += control-probe-status
control-probe-status-src := control/fuzz/probe-status.c control/probe-record.c
control-probe-status-corpus := control/fuzz/corpus/probe-status
unit-tests += control-life-test control-alarm-record-test
control-alarm-record-test-src := control/test/alarm-record-test.c control/alarm-record.c $(common-core)
control-alarm-record-test-libs := -ljansson
control-life-test-src := control/test/life-test.c control/life.c
unit-tests += control-channel-test
control-channel-test-src := control/test/channel-test.c $(control-core) $(control-power) $(control-state) common/seekable.c $(common-core) \
	signing/folder.c $(signing-author) $(signing-verify)
control-channel-test-libs = $(repaved-libs)
unit-tests += control-names-test control-fleet-test
control-names-test-src := control/test/names-test.c control/names.c control/route.c control/repository.c \
	$(control-http) control/meters.c $(common-core)
control-names-test-libs := -lmicrohttpd -lgnutls -ljansson
control-fleet-test-src := control/test/fleet-test.c control/fleet.c control/handover.c $(control-store) $(control-api) $(common-core)
control-fleet-test-libs := -lzstd -lsqlite3 -ljansson $(control-rules-libs)
unit-tests += control-entitled-test
control-entitled-test-src := control/test/entitled-test.c control/entitled.c
unit-tests += control-starts-test
control-starts-test-src := control/test/starts-test.c control/starts.c control/names.c $(common-core)
control-starts-test-libs := -ljansson

unit-tests += control-identity-test control-store-test
control-identity-test-src := control/test/identity-test.c control/identity.c control/throttle.c control/records.c
control-identity-test-libs := -ljansson
control-store-test-src := control/test/store-test.c control/fleet.c $(control-store) $(control-api) $(common-core)
control-store-test-libs := -lzstd -lsqlite3 -ljansson $(control-rules-libs)

fuzz-targets += control-evidence-piece
control-evidence-piece-src := control/fuzz/evidence-piece.c control/evidence-piece.c control/names.c $(common-core)
control-evidence-piece-libs := -ljansson
control-evidence-piece-corpus := control/fuzz/corpus/evidence-piece
fuzz-targets += control-agent-status
control-agent-status-src := control/fuzz/agent-status.c control/agent-status.c common/user.c control/names.c $(common-core)
control-agent-status-libs := -ljansson -lm
control-agent-status-corpus := control/fuzz/corpus/agent-status
fuzz-targets += control-node-log control-node-request control-assignment control-enrol-request
control-enrol-request-src := control/fuzz/enrol-request.c control/node-request.c control/csr.c control/secret.c control/starts.c \
	control/names.c $(common-core)
control-enrol-request-libs := $(control-pki-libs) -ljansson -lm
control-enrol-request-corpus := control/fuzz/corpus/enrol-request
control-node-log-src := control/fuzz/node-log.c control/node-log.c control/names.c $(common-core)
control-node-log-libs := -ljansson
control-node-log-corpus := control/fuzz/corpus/node-log
control-node-request-src := control/fuzz/node-request.c control/node-request.c control/starts.c control/names.c $(common-core)
control-node-request-libs := -ljansson -lm
control-node-request-corpus := control/fuzz/corpus/node-request
control-assignment-src := control/fuzz/assignment.c common/home-choice.c common/user.c common/user-list.c control/assignment.c control/starts.c control/names.c common/http-text.c $(common-core)
control-assignment-libs := -ljansson
control-assignment-corpus := control/fuzz/corpus/assignment

unit-tests += control-renewal-test
control-renewal-test-src := control/test/renewal-test.c control/renewal.c control/names.c $(signing-verify) $(common-core)
control-renewal-test-libs := $(signing-verify-libs)
script-tests += control/test/repository-kept

unit-tests += control-power-test
control-power-test-src := control/test/power-test.c control/power-job.c control/power-text.c control/power-record.c control/sealed.c \
	control/names.c $(common-core)
control-power-test-libs := -lsodium -ljansson
fuzz-targets += control-power-text control-power-config
control-power-text-src := control/fuzz/power-text.c control/power-text.c control/power-record.c control/names.c $(common-core)
control-power-text-libs := -ljansson
control-power-text-corpus := control/fuzz/corpus/power-text
control-power-config-src := control/fuzz/power-config.c control/power-record.c control/names.c $(common-core)
control-power-config-libs := -ljansson
control-power-config-corpus := control/fuzz/corpus/power-config

unit-tests += control-restart-test
control-restart-test-src := control/test/restart-test.c control/restart.c control/restart-cut.c
control-restart-test-libs :=
unit-tests += control-dispatch-test
control-dispatch-test-src := control/test/dispatch-test.c $(control-core) $(control-power) $(control-state) common/seekable.c $(common-core) \
	signing/folder.c $(signing-author) $(signing-verify)
control-dispatch-test-libs = $(repaved-libs) -Wl,--wrap=catalogue_images,--wrap=clock_gettime
script-tests += control/test/backup-works control/test/restarts-works control/test/people-works control/test/decider-works
fuzz-targets += control-backup
control-backup-src := control/fuzz/backup.c control/backup-format.c control/names.c $(common-core)
control-backup-libs := -ljansson
control-backup-corpus := control/fuzz/corpus/backup

unit-tests += control-haproxy-test
control-haproxy-pure := $(control-haproxy) control/groups.c $(control-rules) control/names.c common/user.c common/user-list.c $(common-core)
control-haproxy-test-src := control/test/haproxy-test.c $(control-haproxy-pure)
control-haproxy-test-libs := -ljansson $(control-rules-libs)
fuzz-targets += control-haproxy control-fleet-file control-haproxy-notice
control-haproxy-notice-src := control/fuzz/haproxy-notice.c $(control-haproxy-pure)
control-haproxy-notice-libs := -ljansson $(control-rules-libs)
control-haproxy-notice-corpus := control/fuzz/corpus/haproxy-notice
control-haproxy-src := control/fuzz/haproxy.c $(control-haproxy-pure)
control-haproxy-libs := -ljansson $(control-rules-libs)
control-haproxy-corpus := control/fuzz/corpus/haproxy
control-fleet-file-src := control/fuzz/fleet-file.c control/fleet-file.c control/fleet-check.c control/decision-settings.c control/alarm-record.c control/messages.c control/records.c \
	$(control-haproxy-pure)
control-fleet-file-libs := -lyaml -ljansson -lcurl $(control-rules-libs)
control-fleet-file-corpus := control/fuzz/corpus/fleet-file
unit-tests += control-complete-test
control-complete-test-src := control/test/complete-test.c control/complete.c

# Faults around the control unit: a sample of each with the other tests, the campaign of docs/faults.md with test-long.
script-tests += control/test/faults-work
.PHONY: test-faults
test-long: test-faults
test-faults: $(test-unit-needs)
	$(Q)B=$(abspath $(B)) PYTHONDONTWRITEBYTECODE=1 control/test/faults-work --counted

# What the control unit decides
decide-alone := $(control-decide) control/life.c control/names.c $(control-rules)
decide-tests := control-decide-test control-decide-choice-test control-decide-matrix-test control-decide-any-test
$(foreach t,$(decide-tests),$(eval $(t)-src := $(t:control-%=control/test/%.c) control/test/decide-fleet.c $(decide-alone) $(common-core)))
$(foreach t,$(decide-tests),$(eval $(t)-libs := -ljansson $(control-rules-libs)))
control-snapshot-pure := $(decide-alone) control/restart.c control/restart-cut.c control/snapshot-text.c $(common-core)
unit-tests += control-snapshot-test
control-snapshot-test-src := control/test/snapshot-test.c control/history.c $(control-snapshot-pure)
control-snapshot-test-libs := -ljansson $(control-rules-libs)
fuzz-targets += control-snapshot
control-snapshot-src := control/fuzz/snapshot.c $(control-snapshot-pure)
control-snapshot-libs := -ljansson $(control-rules-libs)
control-snapshot-corpus := control/fuzz/corpus/snapshot
unit-tests += $(decide-tests) control-policy-test control-calendar-test control-trend-test control-decision-settings-test
control-policy-test-src := control/test/policy-test.c control/names.c $(control-rules) $(common-core)
control-policy-test-libs := -ljansson $(control-rules-libs)
control-calendar-test-src := control/test/calendar-test.c control/names.c control/calendar.c $(common-core)
control-calendar-test-libs := -ljansson $(control-rules-libs)
control-trend-test-src := control/test/trend-test.c control/trend.c
control-trend-test-libs := -lm
control-decision-settings-test-src := control/test/decision-settings-test.c control/decision-settings.c control/alarm-record.c control/names.c $(control-rules) $(common-core)
control-decision-settings-test-libs := -ljansson $(control-rules-libs)
# Rules, a policy with its calendar, settings: members of one object.
fuzz-targets += control-matrix
control-matrix-libs := -ljansson $(control-rules-libs)
control-matrix-src := control/fuzz/rules.c control/decision-settings.c control/alarm-record.c control/names.c $(control-rules) $(common-core)
control-matrix-corpus := control/fuzz/corpus/rules

# Planned events and hints
unit-tests += control-planned-test
control-planned-test-src := control/test/planned-test.c $(control-planned) control/names.c control/groups.c common/user.c common/user-list.c $(control-rules) $(common-core)
control-planned-test-libs := -ljansson $(control-rules-libs)
fuzz-targets += control-people
control-people-src := control/fuzz/planned.c $(control-planned) control/names.c control/groups.c common/user.c common/user-list.c $(control-rules) $(common-core)
control-people-libs := -ljansson $(control-rules-libs)
control-people-corpus := control/fuzz/corpus/planned
# Reimages that people order
unit-tests += control-campaign-test
control-campaign-test-src := control/test/campaign-test.c control/campaign.c $(control-campaigns) $(decide-alone) $(common-core)
control-campaign-test-libs := -lsodium -ljansson $(control-rules-libs)
script-tests += control/test/campaign-works control/test/foreign-works

unit-tests += control-sanitizing-test
control-sanitizing-test-src := control/test/sanitizing-test.c control/sanitizing.c control/sanitizing-record.c control/report.c control/names.c $(common-core)
control-sanitizing-test-libs := -ljansson -lm

fuzz-targets += control-cleared
control-cleared-src := control/fuzz/cleared.c control/sanitizing.c control/names.c $(common-core)
control-cleared-libs := -ljansson -lm
control-cleared-corpus := control/fuzz/corpus/cleared

script-tests += control/test/tenancy-works
unit-tests += control-report-test
control-report-test-src := control/test/report-test.c control/report.c control/report-signature.c control/names.c $(common-core)
control-report-test-libs := -lsodium -ljansson
# What people write about reimages: times, keys of reports, and the calls' bodies.
fuzz-targets += control-campaign
control-campaign-src := control/fuzz/campaign.c control/campaign.c control/moment.c control/report-signature.c control/names.c $(control-rules) $(common-core)
control-campaign-libs := -lsodium -ljansson $(control-rules-libs)
control-campaign-corpus := control/fuzz/corpus/campaign

# Proofs by TPM
control-tpm-pure := $(control-tpm) control/names.c $(sha256-src) $(common-core)
unit-tests += control-attest-test
control-attest-test-src := control/test/attest-test.c $(control-tpm-pure) control/attest-policy.c
control-attest-test-libs := $(control-pki-libs) -ljansson
fuzz-targets += control-attest-request control-tpm-log
control-attest-request-src := control/fuzz/attest-request.c $(control-tpm-pure)
control-attest-request-libs := $(control-pki-libs) -ljansson
control-attest-request-corpus := control/fuzz/corpus/attest-request
control-tpm-log-src := control/fuzz/tpm-log.c $(control-tpm-pure)
control-tpm-log-libs := $(control-pki-libs) -ljansson
control-tpm-log-corpus := control/fuzz/corpus/tpm-log
