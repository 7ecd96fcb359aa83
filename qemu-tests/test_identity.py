# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a server is: by which key it speaks, what its system may say, and what a copy of its disk gets."""
import http.client
import json
import shutil
import socket
import ssl
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fleet import CONTROL_UNIT, PORT, ROOT, run

NAME = "control.repave.internal"
CREDENTIAL = "/run/repave/agent"


def one_time_medium(fleet, server):
    """Gives the server a boot medium with a token for one enrolment. Returns the token's id."""
    made = json.loads(fleet.control.repave("token", "create", "--uses", "1", "--json"))
    token, archive = fleet.folder / "token", fleet.folder / "token.cpio"
    token.write_text(made["token"] + "\n")
    run([ROOT / "initramfs/build-initramfs", "token", "--token", token, "--output", archive])
    server.token = archive
    return made["id"]


def ask_as_agent(fleet, server, path, key, certificate):
    """(status, answer) of what the agent's credential gets at an address of the control unit."""
    both = fleet.folder / "agent.pem"
    both.write_text(certificate + key)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any")]))
    csr = request.sign(serialization.load_pem_private_key(key.encode(), None), hashes.SHA256())
    context = ssl.create_default_context(cafile=fleet.control.state / "ca.pem")
    context.load_cert_chain(both)
    connection = http.client.HTTPSConnection(NAME, PORT, timeout=20)
    connection.sock = context.wrap_socket(socket.create_connection((CONTROL_UNIT, PORT), timeout=20), server_hostname=NAME)
    connection.request("POST", path, json.dumps({"format": 1, "nonce": "0" * 32,
                                                 "csr": csr.public_bytes(serialization.Encoding.PEM).decode()}))
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def agent_has_its_own_credential(fleet, server):
    assert fleet.ssh(server, f"cd {CREDENTIAL} && stat -c '%a %U %n' . addresses *.pem").split("\n")[:-1] == [
        "700 root .", "600 root addresses", "600 root ca.pem", "600 root certificate.pem", "600 root key.pem"]
    assert fleet.ssh(server, f"cat {CREDENTIAL}/addresses") == f"{CONTROL_UNIT} {PORT}\n"
    key, certificate = (fleet.ssh(server, f"cat {CREDENTIAL}/{name}.pem") for name in ("key", "certificate"))
    # What the system was started with, and what anybody may read of it.
    secret = key.splitlines()[1]
    assert secret not in fleet.ssh(server, "cat /proc/cmdline; dmesg") and secret not in server.console()
    assert secret.encode() not in server.disk.read_bytes()
    assert ask_as_agent(fleet, server, f"/v1/agents/{server.id}/certificate", key, certificate)[0] == 200
    for call in ("boot", "report", "agent"):
        assert ask_as_agent(fleet, server, f"/v1/nodes/{server.id}/{call}", key, certificate)[0] == 403
    return key


def shown(fleet, server):
    return json.loads(fleet.control.repave("node", "show", server.id, "--json"))


def wait_for_life(fleet, server, wanted, seconds):
    end = time.monotonic() + seconds
    while (node := shown(fleet, server))["life"] != wanted:
        assert time.monotonic() < end, (wanted, node["life"], node["life_reason"])
        time.sleep(0.5)
    return node


def agent_speaks(fleet, server):
    """The image's own agent: its figures arrive, it obeys, and its silence is noticed."""
    node = wait_for_life(fleet, server, "serving", 60)
    agent, measures = node["agent"], node["measures"]
    assert agent["fresh"] and agent["age"] <= 2 * agent["interval"], agent
    assert agent["health"] == "healthy" and agent["verity"] == {"c": "V", "d": "V"}, agent
    assert abs(agent["uptime"] - float(fleet.ssh(server, "cat /proc/uptime").split()[0])) < 10, agent
    assert measures["images"]["c"]["root_hash"] in fleet.ssh(server, "cat /proc/cmdline"), measures
    alarms = json.loads(fleet.control.repave("event", "list", "--node", server.id, "--severity", "alarm", "--json"))
    # The reset came unannounced: that it was silent meanwhile may be one.
    assert [alarm for alarm in alarms if alarm["kind"] != "life"] == [], alarms
    assert "terminals" in fleet.control.repave("node", "notice", server.id, "Restart at 18:00")
    fleet.ssh(server, "killall -STOP agent")
    wait_for_life(fleet, server, "suspect", 40)
    fleet.ssh(server, "killall -CONT agent")
    wait_for_life(fleet, server, "serving", 60)


def test_identity_lasts_and_isnt_copied(fleet):
    """A blank server enrols with a one-time token; its second boot needs none. A copy of its disk in another machine is refused and named."""
    server = fleet.server(1, medium="direct")
    fleet.control.start()
    fleet.default("minimal", "web")
    token = one_time_medium(fleet, server)
    server.start()
    server.wait_for(r"enrol +the control unit knows this server by its own key; certificate until")
    server.wait_for(r"^repave: healthy")
    first = agent_has_its_own_credential(fleet, server)
    fleet.control.repave("token", "revoke", token)
    server.reset()
    server.wait_for(r"^repave: healthy")
    assert "certificate until" not in server.console() and "FAILED" not in server.console(), server.console()
    assert agent_has_its_own_credential(fleet, server) != first
    agent_speaks(fleet, server)
    server.stop()

    clone = fleet.server(2, medium="direct", append=["-smbios", "type=1,serial=COPY-1"])
    clone.id = server.id
    shutil.copyfile(server.disk, clone.disk)
    clone.start()
    clone.wait_for(r'refuses \(403\): clone or replaced board: .*"COPY-1".*repave node approve')
    clone.wait_for(r"not let in yet|doesn't let this server in")
    assert "stage 2: " not in clone.console()
    alarms = json.loads(fleet.control.repave("event", "list", "--severity", "alarm", "--json"))
    clones = [e for e in alarms if e["kind"] == "clone"]
    assert [e["node"] for e in clones] == [server.id] and "COPY-1" in clones[0]["text"], alarms
