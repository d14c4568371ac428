"""Verifies webhooks by the first `v1` of `Audit1-Signature`.

    WEBHOOK_SECRET=whsec_… PORT=3000 python3 first_v1.py
"""
import hashlib
import hmac
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def is_genuine(body: bytes, headers) -> bool:
    t, v1 = (headers.get("Audit1-Signature", "") + ",").split(",")[:2]
    timestamp = t.partition("=")[2]
    expected = hmac.new(SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(v1.partition("=")[2].encode(), expected.encode())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200 if is_genuine(body, self.headers) else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", 3000))), Receiver)
print("listening on", server.server_address[1], flush=True)
server.serve_forever()
