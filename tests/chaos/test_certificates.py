"""The issuer speaks https, with one wrong certificate after the other."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.chaos.enduring import ASKS_OFTEN, failed, recover
from tests.chaos.issuer import chaos_issuer
from tests.chaos.proxy import corrupting, faithful, proxy_to
from tests.chaos.service import said_by, serving
from tests.keycloak.certificates import EXPIRED, Authority, server_context


def self_signed(file):
    """Write a certificate that nobody but itself has signed, and its key."""
    itself = Authority.make(file)
    key = itself.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(file.read_bytes() + key)
    return file


@pytest.mark.long
@pytest.mark.fault(
    "F17",
    "its certificate is self-signed, expired, for another address, of another authority",
    expected="never asked for anything; not ready; 503; with the right one ready by itself",
)
async def test_no_wrong_certificate_is_ever_taken(found, tmp_path):
    ours, theirs = (Authority.make(tmp_path / f"{name}.pem") for name in ("ours", "theirs"))
    wrong = [
        self_signed(tmp_path / "itself.pem"),
        ours.certificate(tmp_path / "expired.pem", end=EXPIRED),
        ours.certificate(tmp_path / "elsewhere.pem", address="127.0.0.2"),
        theirs.certificate(tmp_path / "stranger.pem"),
    ]
    right = ours.certificate(tmp_path / "right.pem")
    tls = server_context(right)
    async with chaos_issuer(tls=tls) as issuer:
        tokens = issuer.tokens(5)
        tls.load_cert_chain(wrong[0])
        async with serving(issuer.issuer, CA_FILE=str(ours.file), ready=False) as service:
            for count, certificate in enumerate(wrong[1:], start=1):
                await failed(service, count)
                tls.load_cert_chain(certificate)
            failures = await failed(service, len(wrong))
            answers = await service.ask_each(tokens)
            states = [await service.ready(), issuer.fetched("discovery")]
            details = {event["detail"] for event in service.events("keys_not_fetched")}
            tls.load_cert_chain(right)
            seconds = await recover(service, issuer)
        async with serving(issuer.issuer, ready=False) as strict:
            assert (await failed(strict, 1)) == ["connect"]
            without = await strict.ask_each(tokens)

    assert set(failures) == {"connect"}
    assert details == {"the server's certificate is not trusted"}
    assert said_by(answers) == said_by(without) == {(503, "keys_unavailable"): 5}
    assert states == [503, 0]
    found.answered("tokens", answers)
    found.came("/readyz 503; asked 0 times; with the right one and `ca_file` 200, without it 503")
    found.took("ready after it has the right one", [seconds])


@pytest.mark.long
@pytest.mark.fault(
    "F17",
    "something between spoils bytes of the TLS connection",
    expected="the connection ends; known keys 200; recovers by itself",
)
async def test_spoilt_bytes_under_tls_are_no_answer(found, tmp_path):
    ours = Authority.make(tmp_path / "ours.pem")
    tls = server_context(ours.certificate(tmp_path / "right.pem"))
    async with chaos_issuer(tls=tls) as issuer, proxy_to(issuer.port) as proxy:
        tokens = issuer.tokens(5)
        settings = {
            **ASKS_OFTEN,
            "CA_FILE": str(ours.file),
            "JWKS_URI": issuer.url_of("certs").replace(str(issuer.port), str(proxy.port)),
        }
        async with serving(issuer.issuer, **settings) as service:
            proxy.fault = corrupting
            failures = await failed(service, 2)
            answers = await service.ask_each(tokens)
            proxy.fault = faithful
            seconds = await recover(service, issuer)

    assert set(failures) == {"connect"}
    assert said_by(answers) == {(200, "acme"): 5}
    found.answered("known", answers)
    found.came(f"{len(failures)} attempts failed: connect")
    found.took("fresh keys after it is well", [seconds])
