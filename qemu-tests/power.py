# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's power by a Redfish BMC, out of band: it is reached over the loopback of the test's network namespace, whatever becomes of
the guest's own network."""
import sys

from fleet import ROOT

sys.path.append(str(ROOT / "control/test"))
from bmc import Redfish  # noqa: E402


class Machine:
    """A server as its BMC sees it."""

    def __init__(self, server):
        self.server = server

    def pid(self):
        process = self.server.process
        return process.child.pid if process and process.alive() else 0

    def switch_on(self):
        if not self.pid():
            self.server.start()

    def switch_off(self):
        if self.pid():
            self.server.power_cut()

    def reset(self):
        self.server.reset()


def give_power_control(fleet, server, machine=None):
    bmc = Redfish(fleet.folder, f"bmc-{server.index}", machine or Machine(server), "operator", "secret of the bmc")
    password = fleet.folder / "bmc-password"
    password.write_text("secret of the bmc\n")
    fleet.control.repave("node", "power", "set", server.id, "--driver", "redfish", "--address", f"127.0.0.1:{bmc.port}", "--user",
                         "operator", "--password-file", password, "--fingerprint", bmc.fingerprint)
    return bmc
