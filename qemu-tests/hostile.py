# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of a network that can't be trusted: DHCP with any options, NTP with any time. Threads of the test, in its network."""
import socket
import struct
import threading
import time

SO_BINDTODEVICE = 25
COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
EPOCH_1900 = 2208988800


def option(code, data=b""):
    """With whatever length the data has, right or wrong for that code."""
    return bytes([code, len(data)]) + data


class Dhcp(threading.Thread):
    """Asks `answer(self, kind, seconds)` for each message, `kind` DISCOVER or REQUEST and `seconds` since the first one: what to
    send back, as (address, server, options), or None to be silent."""

    def __init__(self, interface, answer):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, interface.encode())
        self.socket.bind(("", 67))
        self.answer = answer
        self.first = None

    def run(self):
        while True:
            packet = self.socket.recv(2048)
            kind = self.kind_of(packet)
            self.first = self.first or time.monotonic()
            found = self.answer(self, kind, time.monotonic() - self.first) if kind else None
            if found:
                self.socket.sendto(self.reply(packet, OFFER if kind == DISCOVER else ACK, *found), ("255.255.255.255", 68))

    @staticmethod
    def kind_of(packet):
        at = 240
        while packet[236:240] == COOKIE and at + 2 < len(packet) and packet[at] != 255:
            if packet[at] == 53:
                return packet[at + 2]
            at += 1 if packet[at] == 0 else 2 + packet[at + 1]
        return None

    @staticmethod
    def reply(packet, kind, address, server, options):
        head = bytes([2, 1, 6, 0]) + packet[4:8] + bytes(4) + bytes(4) + socket.inet_aton(address) + bytes(8) + packet[28:44]
        body = option(53, bytes([kind])) + option(54, socket.inet_aton(server)) + option(51, struct.pack(">I", 3600))
        return (head + bytes(192) + COOKIE + body + options).ljust(300, b"\0")


class Ntp(threading.Thread):
    """Tells its `clock()`, seconds since 1970."""

    def __init__(self, clock):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("", 123))
        self.clock = clock

    def run(self):
        while True:
            packet, client = self.socket.recvfrom(512)
            now = struct.pack(">II", int(self.clock() + EPOCH_1900) & 0xffffffff, 0)
            # Version 4, mode 4, stratum 2, precise; the client's transmit time comes back as the origin.
            self.socket.sendto(bytes([0x24, 2, 6, 0xec]) + bytes(8) + b"\x0a\0\0\1" + now + packet[40:48] + now + now, client)
