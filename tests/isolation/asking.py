"""Random requests: whose token, which wishes, and how they are put."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.isolation.logins import Keycloaks
from tests.isolation.model import ALLOWED, Login, User, Wishes, granted_orgs, roles_held
from tests.isolation.people import People

Pairs = list[tuple[str, str]]

# So many tokens are in use at once; each is used until it has been expired for a while.
_IN_USE = 500
_HOT = 40
_HOT_SHARE = 0.7
_MEMBERS_SHARE = 0.9
_RUN_TOGETHER = 0.03
_NEW_TOKEN = 0.08
# Some of them are used for all their life, always in the same way, as by a tab that polls.
_POLLING = 5
_POLLING_SHARE = 0.05
_BECOMES_POLLING = 0.02
_ROLE_WISHES = (*ALLOWED, "admin", "boss", "auditor", "Editor", "VIEWER", "nobody", "public", "*")

# Nothing that a client says of itself counts.
_NOISE: Sequence[tuple[str, str]] = (
    ("X-Hasura-User-Id", "eu/user-1"),
    ("X-Hasura-Allowed-Roles", "{org_admin,admin}"),
    ("X-Hasura-Default-Role", "admin"),
    ("X-Hasura-Org", "eu/acme"),
    ("X-Hasura-Org-Ids", "{eu/acme,us/acme}"),
    ("X-Hasura-Email", "root@eu.example"),
    ("X-Hasura-Admin-Secret", "secret"),
    ("X-Forwarded-User", "admin"),
    ("X-Org-Id", "eu/acme"),
    ("Cookie", "X-Hasura-Org-Id=eu/acme; Authorization=Bearer x"),
    ("X-Request-Id", "acme"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `login` None, or `refused`: what is wrong with it, whoever asks."""

    login: Login | None
    wishes: Wishes
    headers: Pairs
    mode: Literal["GET", "POST"]
    refused: str = ""

    @property
    def body(self) -> bytes:
        """Return what Hasura sends in POST mode. A name comes once in a spelling."""
        return json.dumps({"headers": dict(self.headers), "request": None}).encode()


class Clients:
    """Everybody who asks, with their tokens."""

    def __init__(self, people: People, keycloaks: Keycloaks, seed: int) -> None:
        self.people = people
        self.keycloaks = keycloaks
        self._random = Random(f"requests {seed}")
        self._tokens: deque[tuple[Login, str]] = deque(maxlen=_IN_USE)
        self._polling: deque[tuple[Login, str, Wishes]] = deque(maxlen=_POLLING)
        self.logins = 0

    def ask(self, now: float) -> Ask:
        """Return the next request. `now`: seconds since the epoch."""
        random = self._random
        if not self._tokens or random.random() < _NEW_TOKEN:
            self._log_in(int(now))
        if self._polling and random.random() < _POLLING_SHARE:
            return self._put(*random.choice(self._polling))
        is_hot = random.random() < _HOT_SHARE
        some = min(len(self._tokens), _HOT if is_hot else _IN_USE)
        login, token = self._tokens[-random.randrange(1, some + 1)]
        wishes = self._usual_wishes(login) if is_hot else self._wishes(login)
        if random.random() < _RUN_TOGETHER:
            wishes = self._run_together(wishes)
        return self._put(login, token, wishes)

    # Tokens

    def _log_in(self, now: int) -> None:
        random = self._random
        members = [user for user in self.people.users if user.roles]
        user = random.choice(members if random.random() < _MEMBERS_SHARE else self.people.users)
        login = Login(
            user,
            self._asked(user),
            now,
            self.keycloaks.signing(user.realm),
            all_orgs=user.realm.carrier == "organization" and random.random() < 0.1,
            forged=random.random() < 0.03,
        )
        token = self.keycloaks.token(login, random)
        self._tokens.append((login, token))
        if granted_orgs(login) and random.random() < _BECOMES_POLLING:
            self._polling.append((login, token, self._usual_wishes(login)))
        self.logins += 1

    def _asked(self, user: User) -> tuple[str, ...]:
        """Return orgs in which the user holds a role, mostly, and now and then any others."""
        random, all_orgs = self._random, user.realm.orgs
        own = [org for org, held in user.roles.items() if held and org not in user.realm.denied]
        counts = (1,) if user.realm.carrier == "claim" else (0, *[1] * 10, 2, 2, 3, 6)
        count = random.choice(counts)
        pool = own if own and random.random() < 0.9 else all_orgs
        return tuple(random.sample(pool, min(count, len(pool))))

    # Wishes

    def _usual_wishes(self, login: Login) -> Wishes:
        """Return what a frontend asks for: nothing, or an org and a role that there are."""
        random = self._random
        granted = granted_orgs(login)
        if not granted:
            return Wishes()
        org = random.choice(granted)
        wish = login.user.realm.qualified(org) if len(granted) > 1 or random.random() < 0.5 else ""
        held = roles_held(login.user, org)
        return Wishes(wish, held[-1] if held and random.random() < 0.3 else "")

    def _run_together(self, wishes: Wishes) -> Wishes:
        """Return what only the border between the two wishes tells from the right ones."""
        text = f"{wishes.org}{wishes.role}"
        return self._random.choice((Wishes(text, ""), Wishes("", text)))

    def _wishes(self, login: Login) -> Wishes:
        random = self._random
        org = self._any_org(login) if random.random() < 0.7 else ""
        role = random.choice(_ROLE_WISHES) if random.random() < 0.5 else ""
        return Wishes(org, role)

    def _any_org(self, login: Login) -> str:
        random, realm = self._random, login.user.realm
        foreign = random.choice(self.people.realms)
        own = random.choice([*login.asked, *login.user.roles, *realm.orgs])
        right = realm.qualified(own)
        return random.choice(
            (
                right,
                right,
                right,
                realm.qualified(random.choice(realm.orgs)),
                foreign.qualified(random.choice(foreign.orgs)),
                foreign.qualified(own),
                own,
                right.upper(),
                right.swapcase(),
                f"{right}{random.choice(('/', '2', '*', ',', '.'))}",
                right[:-1],
                realm.namespace,
                f"{realm.namespace}/",
                f"{realm.qualified(right)}",
                f"{right},{realm.qualified(realm.orgs[0])}",
                "*",
                "nonsense",
            )
        )

    # Requests

    def _put(self, login: Login, token: str, wishes: Wishes) -> Ask:
        random = self._random
        mode: Literal["GET", "POST"] = "POST" if random.random() < 0.3 else "GET"
        headers = [("Authorization", f"{random.choice(('Bearer', 'bearer', 'BEARER'))} {token}")]
        headers += self._named("X-Hasura-Org-Id", wishes.org)
        headers += self._named("X-Hasura-Role", wishes.role)
        headers += random.sample(_NOISE, random.choice((0, 0, 0, 1, 3)))
        if random.random() < 0.06:
            return self._oddly_put(login, Wishes(*wishes), headers, mode)
        random.shuffle(headers)
        return Ask(login, wishes, headers, mode)

    def _named(self, name: str, value: str) -> Pairs:
        """Return a header with this value; an empty wish is none, and outer blanks are none."""
        random = self._random
        if not value:
            return [(name, "")] if random.random() < 0.05 else []
        spelt = random.choice((name, name, name.lower(), name.upper()))
        return [(spelt, random.choice((value, value, value, f" {value}\t")))]

    def _oddly_put(
        self, login: Login, wishes: Wishes, headers: Pairs, mode: Literal["GET", "POST"]
    ) -> Ask:
        """Repeat headers, equal or not, and leave credentials out or spoil them."""
        random = self._random
        others = [pair for pair in headers if pair[0] != "Authorization"]
        credential = headers[0][1]
        another = f"Bearer {random.choice(self._tokens)[1]}"
        org, other = wishes.org or "eu/acme", random.choice(("eu/acme ", "us/acme", "x", "-"))
        match random.randrange(6):
            case 0:
                return Ask(None, wishes, others, mode, "no_credentials")
            case 1:
                spoilt = random.choice((f"Basic {credential}", credential[7:], "Bearer x.y.z"))
                return Ask(
                    login, wishes, [("Authorization", spoilt), *others], mode, "malformed_token"
                )
            case 2 if another[7:] != credential[7:]:
                pairs = [*headers, ("authorization", another)]
                return Ask(login, wishes, pairs, mode, "ambiguous_credentials")
            case 3 if other.strip() != org:
                pairs = [it for it in headers if it[0].lower() != "x-hasura-org-id"]
                pairs += [("X-Hasura-Org-Id", org), ("x-hasura-org-id", other)]
                return Ask(login, wishes, pairs, mode, "malformed_request")
            case _:
                # As over a WebSocket: each header twice, in two spellings.
                again = [(name.swapcase(), f"{value} ") for name, value in headers]
                return Ask(login, wishes, [*headers, *again], mode)
