"""Keys over https: the certificate is always checked, and `ca_file` says by whom it is signed."""

from __future__ import annotations

import asyncio

import pytest

from hasura_kc_auth.keycloak.fetch import FetchResult
from tests.keycloak.certificates import EXPIRED, Authority, server_context
from tests.keycloak.publishing import publishing
from tests.made_tokens import KEY

NOT_TRUSTED = (FetchResult.CONNECT, "the server's certificate is not trusted")


@pytest.fixture
def authority(tmp_path):
    return Authority.make(tmp_path / "ca.pem")


async def test_a_certificate_of_the_configured_authority_is_trusted(
    authority, tmp_path, start_fetching
):
    certificate = authority.certificate(tmp_path / "server.pem")
    async with publishing(server_context(certificate)) as publisher:
        fetching = await start_fetching(publisher.issuer, tls=authority.trusted())
        assert (await fetching.keys.find(KEY.kid)).kid == KEY.kid


@pytest.mark.parametrize("trusts", [True, False], ids=["ca_file", "the system's authorities"])
@pytest.mark.parametrize("case", ["expired", "another address", "another authority", "itself"])
async def test_any_other_certificate_is_not(authority, tmp_path, start_fetching, case, trusts):
    made = {
        "expired": lambda file: authority.certificate(file, end=EXPIRED),
        "another address": lambda file: authority.certificate(file, address="127.0.0.2"),
        "another authority": Authority.make(tmp_path / "other-ca.pem").certificate,
        "itself": Authority.make(tmp_path / "itself.pem").certificate,
    }
    certificate = made[case](tmp_path / "server.pem")
    async with publishing(server_context(certificate)) as publisher:
        fetching = await start_fetching(
            publisher.issuer, tls=authority.trusted() if trusts else None
        )
        await fetching.until_reported(1)
        assert fetching.reports == [(publisher.issuer, *NOT_TRUSTED)]
        assert not publisher.asked


async def test_a_good_certificate_needs_the_ca_file(authority, tmp_path, start_fetching):
    certificate = authority.certificate(tmp_path / "server.pem")
    async with publishing(server_context(certificate)) as publisher:
        fetching = await start_fetching(publisher.issuer)
        await fetching.until_reported(1)
        assert fetching.reports == [(publisher.issuer, *NOT_TRUSTED)]


async def test_plain_http_behind_an_https_address_is_no_connection(authority, start_fetching):
    async def complain(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(complain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        fetching = await start_fetching(f"https://127.0.0.1:{port}", tls=authority.trusted())
        await fetching.until_reported(1)
        assert fetching.results == [FetchResult.CONNECT]
