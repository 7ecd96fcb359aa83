# SPDX-License-Identifier: GPL-2.0-or-later
# The whole path in virtual machines. Everything here uses built files only.
PYTHON := /usr/bin/python3
qemu-environment = B=$(abspath $(B)) CONTROL_UNIT_PORT=$(call cfg,CONTROL_UNIT_PORT) \
	REPOSITORY_PORT=$(call cfg,REPOSITORY_PORT) CONTROL_UNIT_ADDRESS=$(call cfg,CONTROL_UNIT_ADDRESS) \
	FLEET_FOLDER=$(call cfg,FLEET_FOLDER) SECURE_BOOT_KEYS=$(call cfg,SECURE_BOOT_KEYS) \
	PYTHONDONTWRITEBYTECODE=1

OS ?=
APP ?=
MEDIUM ?=
MEMORY ?=
NODES ?=
ONCE ?=
FRESH ?=
# 1: Secure Boot with the build's keys, and a TPM.
SECURE ?=
# FLEET=fig4: six servers with spares, and what befalls them.
FLEET ?=
run: all
	$(Q)$(qemu-environment) FLEET=$(FLEET) OS=$(OS) APP=$(APP) MEDIUM=$(MEDIUM) MEMORY=$(MEMORY) NODES=$(NODES) ONCE=$(ONCE) SECURE=$(SECURE) \
		FRESH=$(FRESH) $(PYTHON) qemu-tests/$(if $(FLEET),fig4,run).py

# TESTS: further words for pytest, such as TESTS='-k flipped'. QEMU_JOBS: tests at a time; each has its own network namespace and disks.
TESTS ?=
QEMU_JOBS ?= 2
pytest = $(qemu-environment) $(PYTHON) -m pytest -p no:cacheprovider -rs --durations=0 --durations-min=20 qemu-tests $(TESTS)
# An NFS server in user space, from Debian's packages and without installing them: it would start at each boot of this machine.
nfs-server := $(B)/test/ganesha/usr/bin/ganesha.nfsd
$(nfs-server): | $(B)/apt/updated
	$(call say,FETCH,nfs-ganesha)
	$(Q)mkdir -p $(B)/test/ganesha
	$(Q)B=$(B) packages/apt binary nfs-ganesha nfs-ganesha-vfs libntirpc4.3 liburcu8 libnfsidmap1 libwbclient0 libdbus-1-3 libbsd0 libmd0 | \
		while read -r deb; do dpkg-deb -x "$$deb" $(B)/test/ganesha || exit 1; done
	$(Q)touch $@

# Debian's shim, the same way.
shim := $(B)/test/shim/usr/lib/shim/shimx64.efi.signed
$(shim): | $(B)/apt/updated
	$(call say,FETCH,shim)
	$(Q)mkdir -p $(B)/test/shim
	$(Q)B=$(B) packages/apt binary shim-signed shim-helpers-amd64-signed | \
		while read -r deb; do dpkg-deb -x "$$deb" $(B)/test/shim || exit 1; done
	$(Q)touch $@

# What root of a guest tries, brought there by a test.
musl-programs += root-tries
root-tries-src := qemu-tests/root-tries.c

test-qemu: all $(nfs-server)
	$(Q)$(pytest) -v -n $(QEMU_JOBS) --dist loadgroup -m 'not long'

# Every choice of the configuration is built and booted, and faults are counted; hours, not minutes.
test-long: all $(nfs-server) $(shim)
	$(Q)status=0; $(pytest) -m long || status=$$?; $(qemu-environment) $(PYTHON) qemu-tests/faults.py || status=$$?; exit $$status

# SCENES: only these, such as SCENES="first-boot update"; "operator" is what an operator sees, the others are consoles of servers.
SCENES ?=
console-scenes = $(filter-out operator,$(SCENES))
.PHONY: record
record: all
	$(Q)$(if $(or $(console-scenes),$(if $(SCENES),,all)),$(qemu-environment) \
		$(if $(console-scenes),SCENES="$(console-scenes)") $(PYTHON) qemu-tests/record,:)
	$(Q)$(if $(filter operator,$(or $(SCENES),operator)),$(qemu-environment) $(PYTHON) qemu-tests/record-operator,:)
