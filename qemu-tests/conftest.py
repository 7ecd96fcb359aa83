# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one fleet per test, in its own folder and network namespace, gone afterwards by pid."""
import os
import re
import shutil
from pathlib import Path

import pytest

import fleet as fleet_module

LOGS = fleet_module.BUILD / "qemu-tests"


@pytest.fixture
def fleet(request):
    folder = LOGS / re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name)
    shutil.rmtree(folder, ignore_errors=True)
    instance = fleet_module.Fleet(folder)
    try:
        yield instance
    finally:
        instance.close()
        # Logs stay for whoever reads a failure; disks don't.
        for disk in Path(folder).glob("*/disk.img"):
            os.unlink(disk)
