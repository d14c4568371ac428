"""Verifies webhooks by `Audit1-Signature: sha256=<hex of body>`, for webhooks with that `signature_format`.

    WEBHOOK_SECRET=whsec_… PORT=3000 python3 body_only.py
"""
import hashlib
import hmac
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def is_genuine(body: bytes, headers) -> bool:
    expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(headers.get("Audit1-Signature", "").encode(), expected.encode())


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
