# SPDX-License-Identifier: GPL-2.0-or-later
# The programs of a control unit and of who publishes images, on a machine of their own.
#   DESTDIR  PREFIX (/usr/local)  SYSCONFDIR (/etc)  INSTALL_STRIP (-s)
install-programs := $(addprefix $(B)/bin/,repaved repave-monitor repave repave-sign repave-tuf wire image-patch)
install-environment = DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" \
	INSTALL_STRIP="$(if $(filter undefined,$(origin INSTALL_STRIP)),-s,$(INSTALL_STRIP))"

.PHONY: install uninstall
install: $(install-programs)
	$(Q)$(install-environment) install/install-system install $(B)
uninstall:
	$(Q)$(install-environment) install/install-system uninstall $(B)

script-tests += install/test/installed-works
test-unit-needs += $(install-programs)

# A Debian package, and a medium that installs it without a network.
.PHONY: dist test-dist
dist: $(install-programs) $(B)/repository/published.stamp
	$(Q)install/make-dist $(B)
test-dist: $(install-programs) $(B)/repository/published.stamp
	$(Q)B=$(abspath $(B)) install/test/dist-works
test-long: test-dist
