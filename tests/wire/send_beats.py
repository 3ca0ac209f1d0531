"""Sends numbered events with pylogbeat until all are acknowledged: PORT COUNT WINDOW [CA CERTIFICATE KEY]. With WIRE_NOTES it keeps in that
file how many are, and goes on from there."""

import os
import sys
import time

from pylogbeat import PyLogBeatClient

port, count, window = (int(text) for text in sys.argv[1:4])
tls = {}
if len(sys.argv) > 4:
    tls = {"ssl_enable": True, "ca_certs": sys.argv[4], "certfile": sys.argv[5], "keyfile": sys.argv[6]}
notes = os.environ.get("WIRE_NOTES")
client, failures = None, 0
sent = int(open(notes).read()) if notes and os.path.exists(notes) else 0
while sent < count:
    events = [{"n": n, "message": "x" * 100} for n in range(sent, min(sent + window, count))]
    try:
        if client is None:
            client = PyLogBeatClient("127.0.0.1", port, timeout=20, **tls)
            client.connect()
        client.send(events)
        sent += len(events)
        if notes:
            with open(notes + ".new", "w") as file:
                file.write(str(sent))
            os.replace(notes + ".new", notes)
    except Exception as error:
        client, failures = None, failures + 1
        if failures > 500:
            raise
        time.sleep(0.05)
print("failures", failures)
