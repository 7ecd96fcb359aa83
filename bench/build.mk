# SPDX-License-Identifier: GPL-2.0-or-later
# IMAGE: which image to measure with, such as IMAGE=os-debian.img.
IMAGE ?=
bench: all
	$(Q)B=$(abspath $(B)) $(PYTHON) bench/bench.py $(IMAGE)
