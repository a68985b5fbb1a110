"""A resolver that knows one answer: every A question is answered with the address given as argument."""

import socket
import sys

answer = socket.inet_aton(sys.argv[1])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 53))
    while True:
        question, asker = server.recvfrom(4096)
        end = question.index(b"\0", 12) + 5
        kind = question[end - 4 : end - 2]
        found = kind == b"\0\1"
        header = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + answer if found else b""
        server.sendto(header + question[12:end] + record, asker)
