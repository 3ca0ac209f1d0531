"""ClickHouse's interface of HTTP, as far as qryn asks for it, over ClickHouse as a library: clickhouse.py PORT FOLDER."""
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

store = session.Session(sys.argv[2])
one_at_a_time = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        sql = "\n".join(part for part in (asked.get("query"), self.body().decode()) if part)
        try:
            with one_at_a_time:
                if "database" in asked and not sql.upper().startswith("CREATE DATABASE"):
                    store.query(f"USE {asked['database']}")
                status, said = 200, store.query(sql, asked.get("default_format", "TabSeparated")).bytes()
        except Exception as error:
            status, said = 500, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = answer


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
