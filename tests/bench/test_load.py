"""Both loads against the floor, and who signs for the curves."""

from __future__ import annotations

import json
import shutil

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from tests.bench.calls import get, post, post_insert
from tests.bench.issuers import Realm, Realms, answering
from tests.bench.load import Load, LoadFailed
from tests.bench.servers import Server, floor

wrk = pytest.param(
    shutil.which("wrk"),
    marks=pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk (apt-get install wrk)"),
    id="wrk",
)


@pytest.mark.parametrize("program", [wrk, pytest.param(None, id="bundled")])
def test_a_load_says_what_was_answered_and_what_it_cost(program):
    requests = [get("a"), post("b"), post_insert("c", 100_000)]

    with floor(10) as server:
        sample = Load(program).run(server, requests, seconds=0.2, connections=2)

    assert sample.statuses == {200: sample.requests}
    assert sample.latencies.total() >= sample.requests > 0
    assert sample.cpu > 0
    assert sample.rate > 0
    assert sample.resident > 1


@pytest.mark.parametrize("program", [wrk, pytest.param(None, id="bundled")])
def test_a_load_that_nobody_answers_is_no_measurement(program):
    with floor(10) as server:
        nobody = Server(1, server.pid)  # nothing listens on that port
        with pytest.raises(LoadFailed):
            Load(program).run(nobody, [get("a")], seconds=0.1)


def test_a_realms_token_is_verified_by_what_it_publishes():
    realm = Realm("http://127.0.0.1:1/realms/0", ["acme", "globex"])

    one, another = realm.token(["acme", "globex"]), realm.token()

    keys = KeySet.import_key_set(realm.public())
    claims = json.loads(jws.deserialize_compact(one, keys, algorithms=["ES256"]).payload)
    assert claims["iss"] == realm.issuer
    assert claims["scope"] == "openid profile acme globex email"
    assert list(claims["resource_access"]) == ["acme", "globex"]
    assert one.split(".")[1] != another.split(".")[1]


def test_the_settings_are_of_so_many_realms():
    realms = Realms(3)
    with answering(realms):
        issuers = json.loads(realms.settings(2))

        assert [it["issuer"] for it in issuers] == [it.issuer for it in realms.all[:2]]


def test_an_insert_has_about_the_length_that_was_asked_for():
    for length in (1_000, 100_000):
        body = post_insert("token", length).partition(b"\r\n\r\n")[2]

        assert length - 100 < len(body) <= length
        assert json.loads(body)["request"]["variables"]["rows"]
