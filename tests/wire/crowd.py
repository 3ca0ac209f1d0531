"""Holds many connections open, each in the middle of a message: PORT CONNECTIONS BYTES BEGINNING (hexadecimal). Ends with its input."""

import resource
import socket
import sys

port, connections, length = (int(text) for text in sys.argv[1:4])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for _ in range(connections):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(bytes.fromhex(sys.argv[4]) + b"x" * length)
    held.append(connection)
print("connected", len(held), flush=True)
sys.stdin.read()
