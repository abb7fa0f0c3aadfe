"""A browser at Keycloak's login page: the code flow with PKCE, and silent switching by cookie."""

import re
import secrets
from collections.abc import Mapping
from html import unescape
from types import TracebackType
from typing import Self

import aiohttp
from login import Client, LoginFailed, Tokens, s256
from realm import REDIRECT
from yarl import URL


class Browser:
    """A person's browser with its cookies; the frontend's page is played by the caller.

    Keycloak's cookies are `Secure` over plain http too, and its host is an address: a usual cookie
    jar would drop them twice over.
    """

    def __init__(self, issuer: str, client_id: str = "frontend") -> None:
        self._origin = URL(issuer).origin()
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self._origin)
        self.http = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=30))
        self.client = Client(self.http, issuer, client_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.close()

    async def login(
        self, user: str, scope: str = "openid", password: str = "", **extra: str
    ) -> Tokens:
        """Fill in the login page; `extra` goes to the authorization request."""
        attempt = Attempt()
        page, redirect = await self._authorize(attempt, scope, extra)
        if redirect is None:
            form = {"username": user, "password": password or user}
            page, redirect = await self._send("POST", form_action(page), data=form)
        return await self._finish(attempt, page, redirect)

    async def silent(self, scope: str = "openid", **extra: str) -> Tokens:
        """Ask for other tokens in the running session, as an invisible redirect would."""
        attempt = Attempt()
        page, redirect = await self._authorize(attempt, scope, {"prompt": "none", **extra})
        return await self._finish(attempt, page, redirect)

    async def _authorize(
        self, attempt: "Attempt", scope: str, extra: Mapping[str, str]
    ) -> tuple[str, URL | None]:
        url = URL(f"{self.client.issuer}/protocol/openid-connect/auth")
        query = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": s256(attempt.verifier),
            "code_challenge_method": "S256",
        }
        return await self._send("GET", url.with_query({**query, **extra}))

    async def _send(
        self, method: str, url: URL, data: Mapping[str, str] | None = None
    ) -> tuple[str, URL | None]:
        """Return the page, and where it sends the browser if that is back to the frontend."""
        request = self.http.request(method, url, data=data, allow_redirects=False)
        async with request as response:
            page = await response.text()
            location = response.headers.get("Location", "")
        if not location:
            return page, None
        if location.startswith(REDIRECT):
            return page, URL(location)
        return await self._send("GET", URL(location))

    async def _finish(self, attempt: "Attempt", page: str, redirect: URL | None) -> Tokens:
        if redirect is None:
            raise LoginFailed("login_page", page_text(page))
        answer = redirect.query
        if answer.get("state") != attempt.state:
            raise LoginFailed("wrong_state")
        if "code" not in answer:
            raise LoginFailed(answer.get("error", ""), answer.get("error_description", ""))
        return await self.client.grant(
            "authorization_code",
            code=answer["code"],
            redirect_uri=REDIRECT,
            code_verifier=attempt.verifier,
        )


class Attempt:
    """The three secrets of one authorization request."""

    def __init__(self) -> None:
        self.state = secrets.token_urlsafe(16)
        self.nonce = secrets.token_urlsafe(16)
        self.verifier = secrets.token_urlsafe(48)


def form_action(page: str) -> URL:
    """Return where the first form of a page goes."""
    found = re.search(r'<form[^>]*\saction="([^"]+)"', page)
    if found is None:
        raise LoginFailed("no_form", page_text(page))
    return URL(unescape(found[1]), encoded=True)


def page_text(page: str) -> str:
    """Return what a person would read, for an error worth reading."""
    shown = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())[:500]
