"""Sends numbered events with fluent-logger, which knows no acknowledgements: PORT COUNT."""

import sys

from fluent.sender import FluentSender

sender = FluentSender("app", host="127.0.0.1", port=int(sys.argv[1]), nanosecond_precision=True, timeout=20)
for n in range(int(sys.argv[2])):
    assert sender.emit("py", {"n": n, "message": "x" * 100}), sender.last_error
sender.close()
