"""Hooks of the fuzzer: they sign reports over the bytes as sent, make file events name an existing file, and send NDJSON."""

import hashlib
import hmac
import os
import time

import schemathesis
from requests.auth import AuthBase

SIGNATURE = "X-Webhook-Signature"
TIMESTAMP = "X-Webhook-Timestamp"
SECRET = os.environ["CONNECTION_SECRET"].encode()
FILE_ID = os.environ["FILE_ID"]


class SignedReport(AuthBase):
    def __call__(self, request):
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        timestamp = str(int(time.time() * 1000))
        signature = hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256)
        request.headers[TIMESTAMP] = timestamp
        request.headers[SIGNATURE] = signature.hexdigest()
        return request


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    # A request from which the fuzzer took the credentials, or one of them, stays without.
    if {SIGNATURE, TIMESTAMP} <= set(case.headers or {}):
        kwargs["auth"] = SignedReport()


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("data"), dict) and isinstance(body["data"].get("fileId"), str):
        return {**body, "data": {**body["data"], "fileId": FILE_ID}}
    return body
