"""Receives webhooks of Audit1 and verifies them by `Audit1-Signature`, whichever of our secrets signed.

    WEBHOOK_SECRET=whsec_… PORT=3000 python3 every_v1.py
"""
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()
WINDOW_SECONDS = 300
LARGEST_BODY_BYTES = 1024 * 1024
# Ids of events that were received. A real receiver keeps them in its database, with what it does about them.
received = set()


def is_genuine(body: bytes, header: str) -> bool:
    """`header` is `t=<Unix seconds>,v1=<hex>`, during a rotation with one `v1` for each secret."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    timestamp = dict(parts).get("t", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > WINDOW_SECONDS:
        return False
    expected = hmac.new(SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return any(name == "v1" and hmac.compare_digest(value.encode(), expected.encode()) for name, value in parts)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST_BODY_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_genuine(body, self.headers.get("Audit1-Signature", "")):
            return self.answer(401)
        event = json.loads(body)
        # Deliveries may come twice: the id tells. Answer first, work afterwards.
        is_new = event["id"] not in received
        received.add(event["id"])
        self.answer(200)
        if is_new:
            print(event["type"], event["id"], flush=True)

    def answer(self, status: int):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", 3000))), Receiver)
print("listening on", server.server_address[1], flush=True)
server.serve_forever()
