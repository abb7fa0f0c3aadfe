"""The composition root: builds everything from the settings and owns its lifecycle.

headers ─▶ Webhook ─▶ Decisions.recall ──hit────────────────────────────────▶ session
                          └─miss─▶ Decisions ─Bursts─▶ Authenticator ─▶ rules ─▶ session
                                                          └─▶ RealmKeys ─▶ Keycloak
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable
from io import RawIOBase

from aiohttp import http_parser
from multidict import istr
from yarl import URL

from hasura_kc_auth import __version__
from hasura_kc_auth.authenticator import Authenticator, Completion, HeaderAuthenticator
from hasura_kc_auth.config.issuers import IntrospectionSettings, IssuerSettings
from hasura_kc_auth.config.listeners import TlsSettings
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.keycloak.fetch import FetchResult
from hasura_kc_auth.keycloak.introspection import (
    Introspection,
    IntrospectionClient,
    introspection_url,
)
from hasura_kc_auth.keycloak.jwks import (
    IssuerKeys,
    KeySource,
    KeyTimes,
    RealmKeys,
    fetch_key_set,
)
from hasura_kc_auth.ports import Clocks
from hasura_kc_auth.stores.decisions import Decisions
from hasura_kc_auth.stores.introspections import Introspections, Store, open_store
from hasura_kc_auth.telemetry.denials import RecentDenials
from hasura_kc_auth.telemetry.logs import DenialLog, LineWriter, open_log
from hasura_kc_auth.telemetry.metrics import DecisionCounts, ServiceCollector, registry_of
from hasura_kc_auth.telemetry.observer import DecisionObserver
from hasura_kc_auth.telemetry.tracing import NO_TRACING, Tracing
from hasura_kc_auth.web.bursts import Bursts
from hasura_kc_auth.web.ops import Management
from hasura_kc_auth.web.server import GuardedServer, listen
from hasura_kc_auth.web.webhook import Webhook, WebhookLimits

# The only place that reads a clock: everything else is handed one.
SYSTEM_CLOCKS = Clocks(wall=time.time, monotonic=time.monotonic)  # noqa: TID251


# With the default `drain` the whole stop stays below the ten seconds of a short grace time.
_PARTING_SECONDS = 3.0


class StartFailed(Exception):
    """The service cannot start as it is set. The text names the settings."""


class ListenFailed(StartFailed):
    """A listener's address cannot be had. The text names the settings."""

    def __init__(self, section: str, error: OSError) -> None:
        super().__init__(f"{section}.host, {section}.port: cannot listen there: {error.strerror}")


class ParserMissing(StartFailed):
    """HTTP would be read by aiohttp's parser in Python, which has had the smuggling holes."""

    def __init__(self) -> None:
        super().__init__(
            "aiohttp: would parse HTTP in Python, which has let requests be smuggled; its parser "
            "in C is turned off (AIOHTTP_NO_EXTENSIONS is set) or not there (aiohttp was built "
            "without a C compiler). Unset the variable, or install aiohttp from a wheel"
        )


class Service:
    """The running service. `output`: an unbuffered stream for its log lines."""

    def __init__(
        self,
        settings: Settings,
        output: RawIOBase,
        clocks: Clocks = SYSTEM_CLOCKS,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._settings = settings
        self._tracing = tracing
        self._monotonic = clocks.monotonic
        self._writer = LineWriter(output)
        self.log = open_log(
            self._writer, settings.log.level, settings.log.format, colours=output.isatty()
        )
        self.keys = RealmKeys({it.issuer: self._issuer_keys(it) for it in settings.issuers})
        self.completers = Completers(settings, clocks, self._report_introspection, tracing)
        self.authenticator = Authenticator(
            policy_of(settings), self.keys, clocks.wall, self.completers.completions
        )
        cache = settings.cache
        self.decisions = Decisions(
            self.authenticator, Bursts(), clocks, entries=cache.entries, ttl=cache.ttl
        )
        self.counts = DecisionCounts()
        denials = DenialLog(
            self.log, lambda sum_up: asyncio.get_running_loop().call_later(1, sum_up)
        )
        self.denials = RecentDenials(clocks.wall)
        observer = DecisionObserver(self.counts, self.denials, denials, self.log)
        authenticator = HeaderAuthenticator(
            istr(settings.org_header),
            settings.webhook.max_token,
            tracing.recalls(self.decisions),
            self.decisions,
        )
        self._webhook = Webhook(
            _limits(settings), tracing.decisions(authenticator), observer, clocks
        )
        self._stopping = False

    async def start(self) -> None:
        """Begin to answer, whether Keycloak is up or not. Raises ListenFailed, ParserMissing."""
        require_parser_in_c()
        settings = self._settings
        tls = None if settings.webhook.tls is None else server_tls(settings.webhook.tls)
        await self.keys.start()
        await self.completers.start()
        await self._start_management()
        self._server = GuardedServer(
            self._tracing.calls(self._webhook.handle),
            self._webhook.refuse_malformed,
            read_timeout=settings.webhook.read_timeout,
        )
        try:
            self._listener = await listen(
                self._server, settings.webhook.host, settings.webhook.port, tls
            )
        except OSError as error:
            await self._stop_management()
            await self._stop_asking()
            raise ListenFailed("webhook", error) from error
        self.log.info(
            "started",
            version=__version__,
            webhook=self.webhook_url,
            management=self.management_url,
        )
        for warning in warnings_about(settings):
            self.log.warning("configuration", warning=warning)

    async def _start_management(self) -> None:
        registry = registry_of(
            ServiceCollector(
                self.counts,
                self.decisions,
                self.keys.issuers,
                lambda: self._writer.dropped,
                self.completers,
            )
        )
        management = Management(self.keys.issuers, registry, self.denials, lambda: self._stopping)
        self._management_server = GuardedServer(
            management.handle, management.refuse, read_timeout=self._settings.webhook.read_timeout
        )
        where = self._settings.management
        try:
            self._management = await listen(self._management_server, where.host, where.port)
        except OSError as error:
            await self._stop_asking()
            raise ListenFailed("management", error) from error

    async def _stop_management(self) -> None:
        self._management.close()
        await self._management_server.end()

    async def stop(self, *, drain: float) -> None:
        """Stop without a failed request.

        Not ready any more; `drain` seconds for the load balancers to see it; then no new
        connections, and those that are open are asked to go, for some seconds more.
        """
        self._stopping = True
        self.log.info("stopping", drain_seconds=drain)
        await asyncio.sleep(drain)
        self._listener.close()
        await self._server.part(min(drain, _PARTING_SECONDS), self._monotonic)
        await self._stop_management()
        await self._stop_asking()
        await self._tracing.stop()
        self.log.info("stopped")
        self._writer.close()

    async def _stop_asking(self) -> None:
        await self.keys.stop()
        await self.completers.stop()

    @property
    def webhook_url(self) -> str:
        scheme = "http" if self._settings.webhook.tls is None else "https"
        host, port = self._listener.sockets[0].getsockname()[:2]
        return f"{scheme}://{_bracketed(host)}:{port}{self._settings.webhook.path}"

    @property
    def management_url(self) -> str:
        host, port = self._management.sockets[0].getsockname()[:2]
        return f"http://{_bracketed(host)}:{port}"

    def _issuer_keys(self, settings: IssuerSettings) -> IssuerKeys:
        return IssuerKeys(
            key_source(settings),
            key_times(self._settings),
            monotonic=self._monotonic,
            random=random.random,
            report=self._report_fetch,
            fetch=self._tracing.questions("key fetch", settings.issuer, fetch_key_set),
        )

    def _report_fetch(self, issuer: str, result: FetchResult, detail: str) -> None:
        if result is FetchResult.OK:
            self.log.info("keys_fetched", issuer=issuer)
        else:
            self.log.warning("keys_not_fetched", issuer=issuer, result=result.value, detail=detail)

    def _report_introspection(self, issuer: str, detail: str) -> None:
        self.log.warning("introspection_failed", issuer=issuer, detail=detail)


class Completers:
    """What asks Keycloak about lightweight tokens, for the issuers that are set so."""

    def __init__(
        self,
        settings: Settings,
        clocks: Clocks,
        report: Callable[[str, str], None],
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._clients: dict[str, Introspection] = {}
        self._answers: list[Introspections] = []
        self._store: Store | None = None
        self.completions: dict[str, Completion] = {}
        asked = [(it, it.introspection) for it in settings.issuers if it.introspection is not None]
        if not asked:
            return
        self._store = _answer_store(settings)
        for issuer, how in asked:
            client = Introspection(
                introspection_client(issuer, how, settings), clocks.monotonic, report
            )
            ask = tracing.questions("introspection", issuer.issuer, client.introspect)
            answers = Introspections(ask, self._store, clocks, ttl=how.ttl, secret=how.secret)
            self._clients[issuer.issuer] = client
            self._answers.append(answers)
            self.completions[issuer.issuer] = Completion(answers, always=how.when == "always")

    async def start(self) -> None:
        for client in self._clients.values():
            await client.start()

    async def stop(self) -> None:
        for answers in self._answers:
            await answers.stop()
        for client in self._clients.values():
            await client.stop()
        if self._store is not None:
            await self._store.close()

    @property
    def requests(self) -> dict[str, Counter[str]]:
        """Return, by issuer, how often Keycloak was asked with which result."""
        return {issuer: client.requests for issuer, client in self._clients.items()}

    @property
    def store_failures(self) -> int:
        return sum(answers.store_failures for answers in self._answers)


def _answer_store(settings: Settings) -> Store:
    url = None if settings.shared is None else URL(settings.shared.secret_url)
    try:
        return open_store(url, max(1, settings.cache.entries))
    except ImportError as error:
        raise StartFailed("shared: needs the extra: hasura-kc-auth[redis]") from error


def introspection_client(
    issuer: IssuerSettings, how: IntrospectionSettings, settings: Settings
) -> IntrospectionClient:
    """Return who asks one issuer about tokens. `how`: its `introspection`."""
    return IntrospectionClient(
        issuer=issuer.issuer,
        url=how.url or introspection_url(issuer.issuer, issuer.jwks_uri),
        client_id=how.client_id,
        client_secret=how.secret,
        timeout=settings.keys.timeout,
        cooldown=settings.keys.cooldown,
        tls=key_source(issuer).tls,
    )


def key_source(issuer: IssuerSettings) -> KeySource:
    """Return where one issuer's keys are. Its `ca_file` was read once when it was checked."""
    tls = None
    if issuer.ca_file is not None:
        tls = ssl.create_default_context(cafile=str(issuer.ca_file))
    return KeySource(issuer.issuer, issuer.algorithms, issuer.jwks_uri, tls)


def key_times(settings: Settings) -> KeyTimes:
    keys = settings.keys
    return KeyTimes(keys.ttl, keys.cooldown, keys.timeout, keys.max_stale)


def server_tls(settings: TlsSettings) -> ssl.SSLContext:
    """Return the webhook's side of TLS. Its files were read once when they were checked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def require_parser_in_c() -> None:
    """Raise ParserMissing where aiohttp has fallen back to its parser in Python."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ParserMissing


def warnings_about(settings: Settings) -> list[str]:
    """Return what is allowed but dangerous, a sentence each."""
    warnings = [
        f"issuers.{index}.audiences is empty: a token meant for another API of this realm passes"
        for index, issuer in enumerate(settings.issuers)
        if not issuer.audiences
    ]
    if sum(issuer.namespace is None for issuer in settings.issuers) > 1:
        warnings.append(
            "several issuers have no namespace: users of two realms may have one X-Hasura-User-Id, "
            "so write no permission with it alone"
        )
    if settings.shared is not None and not any(it.introspection for it in settings.issuers):
        warnings.append("shared is set, but no issuer has introspection: nothing is shared")
    if settings.insecure_transport:
        warnings.append(
            "insecure_transport is true: whoever can write to the network can sign tokens or "
            "answer as this service"
        )
    return warnings


def _limits(settings: Settings) -> WebhookLimits:
    webhook = settings.webhook
    return WebhookLimits(
        path=webhook.path,
        max_body=webhook.max_body,
        read_timeout=webhook.read_timeout,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
