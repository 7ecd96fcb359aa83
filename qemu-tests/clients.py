# SPDX-License-Identifier: GPL-2.0-or-later
"""Users of the fleet in front of its HAProxy: each new one has an address of his own on the loopback."""
import http.client
import itertools
import re
import signal
import socket
import subprocess
import threading
import time

ADDRESSES = itertools.count(1)


def new_address():
    number = next(ADDRESSES)
    return f"127.{10 + number // 65000}.{number // 250 % 250}.{number % 250 + 1}"


def ask_web(port, os_name, seconds=10):
    """Who answers a new user: (status, the server's name by its cookie)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/", headers={"X-Repave-OS": os_name})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def open_cache(port, seconds=10):
    return socket.create_connection(("127.0.0.1", port), timeout=seconds, source_address=(new_address(), 0))


def ask_cache(connection):
    """Whether the cache at the other end keeps what it is told."""
    connection.sendall(b"SET asked 1\r\nGET asked\r\n")
    answer = b""
    while answer.count(b"\r\n") < 3:
        part = connection.recv(200)
        if not part:
            raise ConnectionError("the connection was closed")
        answer += part
    if answer != b"+OK\r\n$1\r\n1\r\n":
        raise ConnectionError(f"the cache said {answer!r}")


class Users(threading.Thread):
    """One new user after the other; each asks once. `failures` are (seconds by the monotonic clock, what went wrong)."""

    def __init__(self, ask, pause=0.1):
        super().__init__(daemon=True)
        self.ask, self.pause = ask, pause
        self.count, self.failures, self.answered, self.ending = 0, [], 0.0, False
        self.start()

    def run(self):
        while not self.ending:
            try:
                self.ask()
                self.answered = time.monotonic()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((time.monotonic(), repr(error)))
            self.count += 1
            time.sleep(self.pause)

    def stop(self):
        self.ending = True
        self.join()


def web_users(port, os_name):
    def ask():
        status = ask_web(port, os_name)
        if status != 200:
            raise ConnectionError(f"status {status}")
    return Users(ask)


def cache_users(port):
    def ask():
        with open_cache(port) as connection:
            ask_cache(connection)
    return Users(ask)


class Hey:
    """Debian's load generator: new connections, `rate` requests a second."""

    def __init__(self, url, log, rate=20, header=None):
        self.log, self.url = log, url
        words = ["hey", "-z", "1h", "-c", "2", "-q", str(rate / 2), "-disable-keepalive", "-t", "20"]
        with open(log, "wb") as out:
            self.child = subprocess.Popen([*words, *(["-H", header] if header else []), url], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT)

    def stop(self):
        """(answers with status 200, what else came)"""
        self.child.send_signal(signal.SIGINT)
        self.child.wait(30)
        text = self.log.read_text()
        counts = {int(status): int(count) for status, count in re.findall(r"^\s+\[(\d{3})\]\s+(\d+) responses", text, re.M)}
        good = counts.pop(200, 0)
        errors = re.search(r"Error distribution:\n(.*)", text, re.S)
        other = [f"{count} times status {status}" for status, count in counts.items()]
        return good, other + ([line.strip() for line in errors[1].splitlines() if line.strip()] if errors else [])


class Crowd:
    """Users who stay: a connection each, which they use now and then."""

    def __init__(self, port):
        self.port, self.connections = port, []

    def grow(self, count):
        while len(self.connections) < count:
            connection = open_cache(self.port)
            ask_cache(connection)
            self.connections.append(connection)

    def ask_all(self):
        for connection in self.connections:
            ask_cache(connection)

    def leave(self):
        for connection in self.connections:
            connection.close()
        self.connections = []
