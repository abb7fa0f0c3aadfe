"""The webhook over https, with its own certificate."""

from __future__ import annotations

import ssl

import aiohttp
import pytest

from tests.keycloak.certificates import Authority
from tests.web.wire import connected, get


@pytest.fixture
def authority(tmp_path):
    return Authority.make(tmp_path / "ca.pem")


@pytest.fixture
async def hook(authority, tmp_path, issuer, start_service):
    """Give a service that speaks https, with certificate and key in one file."""
    file = str(authority.certificate(tmp_path / "server.pem"))
    return await start_service(
        issuer.issuer, webhook={"tls": {"cert_file": file, "key_file": file}}
    )


@pytest.mark.parametrize("mode", ["GET", "POST"])
async def test_hasura_asks_over_https(hook, authority, bob, http, mode):
    assert hook.webhook_url.startswith("https://127.0.0.1:")
    call = (
        {"headers": {"Authorization": bob}}
        if mode == "GET"
        else {"json": {"headers": {"Authorization": bob}}}
    )
    async with http.request(mode, hook.webhook_url, ssl=authority.trusted(), **call) as response:
        assert (response.status, (await response.json())["X-Hasura-Role"]) == (200, "viewer")


async def test_who_does_not_trust_the_certificate_does_not_ask(hook, http):
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await http.get(hook.webhook_url)
    assert hook.service.counts.allowed == {}


async def test_plain_http_gets_nothing(hook, bob):
    async with connected(hook.webhook_url) as wire:
        await wire.send(get(f"Authorization: {bob}"))
        assert b"X-Hasura" not in await wire.rest()
    assert hook.service.counts.allowed == {}
    assert "Bearer" not in await hook.log_text()


async def test_no_old_protocol_is_spoken(hook, authority, http):
    context = authority.trusted()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (await http.get(hook.webhook_url, ssl=context)).status == 401


async def test_the_management_listener_stays_plain(hook):
    assert hook.management_url.startswith("http://127.0.0.1:")
    assert (await hook.manage("/livez")).status == 200
