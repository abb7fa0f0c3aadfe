"""The bytes that Hasura sends for a client with a token."""

from __future__ import annotations

import json
from itertools import count

_POST_BODY = 2048


def client_headers(token: str, **more: str) -> dict[str, str]:
    """Return a client's headers. `more`: others, with `_` for `-`."""
    return {
        "Authorization": f"Bearer {token}",
        "X-Request-Id": "5c0d0d6e-7f2a-4a51-9d2c-0a3c7b6f9f10",
        "X-Forwarded-For": "203.0.113.7",
        "X-Hasura-Role": "editor",
        "Cookie": "theme=dark; consent=yes",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def get(token: str, **more: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in client_headers(token, **more).items()]
    return "\r\n".join(["GET / HTTP/1.1", "Host: auth:8090", *lines, "", ""]).encode()


def post(token: str) -> bytes:
    body: dict[str, object] = {"headers": client_headers(token), "request": {"query": ""}}
    body["request"] = {"query": "q" * (_POST_BODY - len(json.dumps(body)))}
    return _posted(body)


def post_insert(token: str, length: int) -> bytes:
    """Return an insert of many rows, so that the body has about `length` bytes."""
    query = (
        "mutation Add($rows: [orders_insert_input!]!) {\n"
        '  insert_orders(objects: $rows, on_conflict: {constraint: "orders_pkey"}) {\n'
        "    affected_rows\n  }\n}\n"
    )
    rows: list[dict[str, object]] = []
    request = {"query": query, "operationName": "Add", "variables": {"rows": rows}}
    body: dict[str, object] = {"headers": client_headers(token), "request": request}
    missing = length - len(json.dumps(body, separators=(",", ":")))
    for number in count(1):
        row = {"id": number, "name": f'Bolt "M{number % 20}"', "price": 1.25, "tags": ["a", "b"]}
        missing -= len(json.dumps(row, separators=(",", ":"))) + 1
        if missing < 0:
            break
        rows.append(row)
    return _posted(body)


def _posted(body: dict[str, object]) -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    head = f"POST / HTTP/1.1\r\nHost: auth:8090\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text
