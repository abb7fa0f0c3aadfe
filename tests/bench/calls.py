"""The bytes that Hasura sends for a client with a token."""

from __future__ import annotations

import json

_POST_BODY = 2048


def client_headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "X-Request-Id": "5c0d0d6e-7f2a-4a51-9d2c-0a3c7b6f9f10",
        "X-Forwarded-For": "203.0.113.7",
        "X-Hasura-Role": "editor",
        "Cookie": "theme=dark; consent=yes",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


def get(token: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in client_headers(token).items()]
    return "\r\n".join(["GET / HTTP/1.1", "Host: auth:8090", *lines, "", ""]).encode()


def post(token: str) -> bytes:
    body = {"headers": client_headers(token), "request": {"query": ""}}
    body["request"] = {"query": "q" * (_POST_BODY - len(json.dumps(body)))}
    text = json.dumps(body, separators=(",", ":")).encode()
    head = f"POST / HTTP/1.1\r\nHost: auth:8090\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text
