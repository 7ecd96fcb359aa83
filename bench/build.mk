# SPDX-License-Identifier: GPL-2.0-or-later
# IMAGE: which image to measure with, such as IMAGE=os-debian.img.
IMAGE ?=
bench: all $(B)/test/install-slot $(B)/bin/image-patch
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/bench.py $(IMAGE)
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/provision $(IMAGE)
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/delta
shell-scripts += bench/debian-before
