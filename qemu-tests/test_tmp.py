# SPDX-License-Identifier: GPL-2.0-or-later
from fleet import CONTROL_UNIT
from test_home import NfsServer, redis, keep_data
def test_tmp(fleet):
    files = NfsServer(fleet)
    files.start()
    first = fleet.server(1, medium="direct")
    fleet.control.start()
    fleet.default("minimal", "cache", "--h", f"nfs:{CONTROL_UNIT}:/h", *keep_data(fleet))
    first.start()
    first.wait_for(r"^repave: healthy")
    print(fleet.control.repave("node", "logs", first.id))
    assert "OK" in redis(first, "SET", "who", "bert")
    fleet.ssh(first, "(while sleep 1; do date >>/h/log; done) </dev/null >/dev/null 2>&1 &")
    files.stop()
    import time; time.sleep(3)
    t = time.time()
    fleet.power_off(first)
    print("off in", time.time() - t)
