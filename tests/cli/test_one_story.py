"""One refused request, looked at from all sides: answer, `/denials`, log, metric, `explain`."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter

from tests.cli.commands import ask, bearer, invoke
from tests.cli.test_explain import ROWS
from tests.cli.test_serve import serving

REFUSED = {name: row for name, row in ROWS.items() if row.code is not None}


def test_all_tell_the_same_code(realm, config):
    told = {}
    with serving(config) as (process, served):
        for number, (name, row) in enumerate(REFUSED.items()):
            token, request_id = row.token(realm), f"story-{number}"
            headers = {"Authorization": token} if " " in token else bearer(token)
            wishes = {"X-Hasura-Org-Id": row.org, "X-Hasura-Role": row.role}

            answer = ask(served.webhook, "/", {**headers, **wishes, "x-request-id": request_id})
            kept = ask(served.management, f"/denials?request_id={request_id}").body["denials"]
            wished = ("--org", row.org, "--role", row.role)
            explained = invoke("explain", "--json", "--config", config(), *wished, given=token)
            codes = [answer.body["code"], *(it["code"] for it in kept), explained.json["code"]]
            told[name, request_id] = codes
        everything = ask(served.management, "/denials").body["denials"]
        metrics = ask(served.management, "/metrics").body
        process.signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.end().out.splitlines()]

    logged = {it["request_id"]: it["reason"] for it in lines if it["event"] == "denied"}
    codes = [row.code for row in REFUSED.values()]
    assert list(told.values()) == [[code] * 3 for code in codes]
    assert [logged[request_id] for _, request_id in told] == codes
    assert [it["code"] for it in everything] == codes[::-1]
    assert _counted(metrics) == Counter(codes)
    assert len(set(codes)) > 15  # of the vocabulary's: what one request alone can bring about


def _counted(metrics: str) -> Counter[str]:
    sample = re.compile(r'hasura_kc_auth_decisions_total{.*reason="(\w+)"} (\d+)\.0')
    counted: Counter[str] = Counter()
    for reason, count in sample.findall(metrics):
        counted[reason] += int(count)
    return counted
