"""Sends log records with OpenTelemetry's own SDK: `otlp_send.py PROTOCOL ENDPOINT COUNT BATCH [CA] [TOKEN]`.

What the exporter gives up is handed to it again, as an application with a queue of its own would do. Prints how many it sent.
"""

import logging
import os
import sys
import time

protocol, endpoint, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ca = sys.argv[5] if len(sys.argv) > 5 else ""
token = sys.argv[6] if len(sys.argv) > 6 else ""
if ca:
    # The exporter over HTTP of 1.45 does not look at its own argument.
    os.environ["REQUESTS_CA_BUNDLE"] = ca
headers = {"authorization": "Bearer " + token} if token else {}

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

logging.disable(logging.CRITICAL)
if protocol == "grpc":
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    credentials = grpc.ssl_channel_credentials(open(ca, "rb").read()) if ca else None
    exporter = OTLPLogExporter(
        endpoint, insecure=not ca, credentials=credentials, headers=headers, timeout=5, compression=grpc.Compression.Gzip
    )
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(
        endpoint + "/v1/logs", certificate_file=ca or None, headers=headers, timeout=5, compression=Compression.Gzip
    )


class Batches(LogRecordExporter):
    """Joins records; sends a batch until it is taken."""

    def __init__(self):
        self.waiting, self.sent = [], 0

    def export(self, batch):
        self.waiting.extend(batch)
        if len(self.waiting) >= size:
            self.flush()
        return LogRecordExportResult.SUCCESS

    def flush(self):
        if not self.waiting:
            return
        until = time.time() + 120
        while exporter.export(self.waiting) != LogRecordExportResult.SUCCESS:
            if time.time() > until:
                sys.exit("nobody takes the records")
            time.sleep(0.2)
        self.sent += len(self.waiting)
        self.waiting = []

    def shutdown(self):
        self.flush()

    def force_flush(self, timeout_millis=0):
        self.flush()
        return True


batches = Batches()
provider = LoggerProvider(resource=Resource({"service.name": "sender", "process.pid": 7}), shutdown_on_exit=False)
provider.add_log_record_processor(SimpleLogRecordProcessor(batches))
logger = provider.get_logger("sending", "1.2", attributes={"kind": "test"})
for n in range(count):
    logger.emit(
        LogRecord(
            timestamp=1_763_920_000_000_000_000 + n,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body={"n": n, "text": "line\nbreak é \u0000", "list": [1, 2.5, True]},
            attributes={"n": n, "http.route": "/a/{b}", "data": b"\x00\xff", "nested": {"a": {"b": [1, "x"]}}},
            trace_id=0x0AF7651916CD43DD8448EB211C80319C,
            span_id=0xB7AD6B7169203331,
        )
    )
batches.flush()
print(batches.sent)
