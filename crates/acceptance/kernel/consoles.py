"""A WebSocket client of a few lines reads the screen's banner and the boot on the serial line, with no more than their tokens."""

import os
import socket
import time
from urllib.parse import parse_qs, urlparse

from journey import Journey

j = Journey()
net, compute = j.cloud.network, j.cloud.compute
inner = net.create_network(name="inner")
net.create_subnet(network_id=inner.id, name="inner", ip_version=4, cidr="10.0.1.0/24")
j.keypair()


def check(what, good, seen):
    j.check(what if good else f"{what}: {seen!r}", good)


class Console:
    """The handshake of RFC 6455 and unmasked frames from the server."""

    def __init__(self, url):
        parts = urlparse(url)
        path = parse_qs(parts.query).get("path")
        path = "/" + path[0] if path else f"{parts.path}?{parts.query}"
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=120)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: binary\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            head += byte
        self.status = int(head.split()[1])

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        length = self.exactly(2)[1] & 0x7F
        if length == 126:
            length = int.from_bytes(self.exactly(2), "big")
        elif length == 127:
            length = int.from_bytes(self.exactly(8), "big")
        return self.exactly(length)

    def send(self, data):
        mask = os.urandom(4)
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.socket.sendall(bytes([0x82, 0x80 | len(data)]) + mask + body)


def console(kind, protocol):
    return Console(compute.create_console(server, console_type=kind, console_protocol=protocol)["url"])


def read_until(line, word, seconds):
    text, end = b"", time.monotonic() + seconds
    while word not in text and time.monotonic() < end:
        text += line.receive()
    return text


server = j.server("vm", [{"uuid": inner.id}])
line = console("serial", "serial")
text = read_until(line, b"login", 180)
check("the serial line shows the boot", line.status == 101 and b"login" in text, text[-400:])
line.send(b"\n")
j.check("and answers what is typed", bool(line.receive()))
line.socket.close()

screen = console("novnc", "vnc")
banner = screen.receive()
check("the screen speaks RFB", screen.status == 101 and banner == b"RFB 003.008\n", banner)
screen.send(banner)
kinds = screen.receive()
check("without a password", kinds == b"\x01\x01", kinds)
screen.send(b"\x01")
j.check("and lets its viewer in", screen.receive() == b"\x00\x00\x00\x00")
screen.send(b"\x01")
size = screen.receive()
width, height = int.from_bytes(size[:2], "big"), int.from_bytes(size[2:4], "big")
check("with a screen of some size", width >= 320 and height >= 200, (width, height))
again = console("novnc", "vnc")
j.check("a second viewer comes in beside the first", again.receive() == b"RFB 003.008\n")

url = compute.create_console(server, console_type="novnc", console_protocol="vnc")["url"]
j.check("a token that is nobody's is refused", Console(url.replace("token%3D", "token%3Dbad")).status == 403)
compute.delete_server(server)
compute.wait_for_delete(server, interval=0.2, wait=60)
j.check("and so is one whose server is gone", Console(url).status == 403)
j.end()
