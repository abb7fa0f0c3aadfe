"""What discovery tells of Keycloak's own set-up: its name, and its clock."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from hasura_kc_auth.keycloak.address_check import _clock_faults, address_faults
from hasura_kc_auth.keycloak.fetch import client_session
from tests.keycloak.admin_api import admin_api, broken, redirecting
from tests.made_tokens import NOW

FOLLOWS = (
    "the issuer's name follows the Host header of whoever asks: set Keycloak's hostname "
    "(KC_HOSTNAME), or tokens got by another name are wrong_issuer"
)
STRANGE = "a-name-of-nobodys.invalid"


@pytest.fixture
async def api():
    async with admin_api() as api:
        api.discovery = dated(api, formatdate(NOW, usegmt=True))
        yield api


def dated(api, date):
    """Return what answers discovery with this Date header; None: without one."""

    async def with_date(request):
        return web.json_response(api.document(request), headers={"Date": date})

    async def without(request):
        # The server writes one by itself into all that it sends.
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        request.transport.close()
        return web.Response()

    return without if date is None else with_date


async def told(api, *, now=NOW):
    async with client_session(None) as session:
        return await address_faults(session, api.issuer, lambda: now)


async def test_a_name_of_its_own_and_the_same_time_are_fine(api):
    assert await told(api) == []


# --- the name


@pytest.mark.parametrize("relative_path", ["", "/auth"])
async def test_a_name_that_follows_the_host_header_is_told(relative_path):
    async with admin_api(relative_path=relative_path, follows_host=True) as api:
        api.discovery = dated(api, formatdate(NOW, usegmt=True))
        assert await told(api) == [FOLLOWS]


@pytest.mark.parametrize("document", [{}, {"issuer": None}, {"issuer": ["x"]}, [], 7, b"<html>"])
async def test_an_odd_document_is_no_fault_of_the_name(api, document):
    api.discovery = document

    assert FOLLOWS not in await told(api)


@pytest.mark.parametrize("status", [400, 404, 421, 500])
async def test_a_proxy_that_refuses_the_strange_name_hides_no_clock(api, status):
    usual = api.discovery

    async def answer(request):
        if request.host == STRANGE:
            return web.Response(status=status)
        return await usual(request)

    api.discovery = answer

    assert await told(api) == []
    [fault] = await told(api, now=NOW - 60)
    assert fault.startswith("Keycloak's clock is 60 s ahead of")


# --- the clock


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (3, "3 s ahead of"),
        (61, "61 s ahead of"),
        (-3, "3 s behind"),
        (-3600, "3600 s behind"),
        (400_000_000, "400000000 s ahead of"),
    ],
)
async def test_a_clock_that_differs_is_told(api, difference, words):
    api.discovery = dated(api, formatdate(NOW + difference, usegmt=True))

    [fault] = await told(api)

    assert fault == (
        f"Keycloak's clock is {words} this machine's: tokens are not_yet_valid or expired beyond "
        "`leeway`"
    )


@pytest.mark.parametrize("difference", [-2, -1, 0, 1, 2])
async def test_a_date_has_whole_seconds_and_took_its_way(api, difference):
    api.discovery = dated(api, formatdate(NOW + difference, usegmt=True))

    assert await told(api) == []


@pytest.mark.parametrize(
    "date",
    [
        pytest.param(None, id="absent"),
        pytest.param("", id="empty"),
        pytest.param("yesterday", id="no date"),
        pytest.param("Mon, 32 Foo 2026 99:99:99 GMT", id="impossible"),
        pytest.param("Mon, 01 Jan 99999 00:00:00 GMT", id="a year too far"),
        pytest.param("Mon, 01 Jan 2026 00:00:00 +99999999", id="a zone too far"),
        pytest.param("1700000000", id="a number"),
    ],
)
async def test_no_date_that_can_be_read_is_no_fault(api, date):
    api.discovery = dated(api, date)

    assert await told(api) == []


@given(st.one_of(st.none(), st.text(), st.from_regex(r"Mon, \d+ Jan \d+ \d+:\d+:\d+ [-+]\d+")))
def test_any_date_is_read_or_passed_over(date):
    assert len(list(_clock_faults(date, NOW))) <= 1


# --- who does not answer


@pytest.mark.parametrize("answer", [broken, redirecting])
async def test_who_does_not_answer_has_no_fault_here(api, answer):
    api.discovery = answer

    assert FOLLOWS not in await told(api)
    assert "/elsewhere" not in api.asked


async def test_nobody_there_has_no_fault_here(api):
    api.origin = "http://127.0.0.1:1"

    assert await told(api) == []


async def test_a_server_that_hangs_is_the_callers_to_bound(api):
    gone = asyncio.Event()

    async def hang(_request):
        await gone.wait()
        return web.Response()

    api.discovery = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await told(api)
    gone.set()
