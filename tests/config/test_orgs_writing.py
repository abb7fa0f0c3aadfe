"""What `keycloak export` writes, and that it is read as what it was."""

from __future__ import annotations

from typing import Any

import hypothesis
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hasura_kc_auth.config.orgs_file import OrgsFile, orgs_yaml
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES
from hasura_kc_auth.provisioning.wanted import MY_ORGS, Frontend, Org, Wanted
from tests.config.orgs_at_hand import NATIVE_SETTINGS, SETTINGS, read, refused
from tests.config.settings_at_hand import loaded

_ALL = {"viewer": frozenset[str](), "editor": frozenset({"viewer"})}
_LEAST = {"viewer": frozenset[str]()}


def _wanted(*orgs: Org, **changes: Any) -> Wanted:
    frontends = (Frontend("frontend", frozenset({"https://b/*", "https://a/*"})),)
    fields = {"frontends": frontends, "orgs": {org.name: org for org in orgs}, **changes}
    return Wanted(**{"realm": "acme", "carrier": "client-scope", "audience": "hasura", **fields})


def _tree(wanted: Wanted) -> Any:
    return yaml.safe_load(orgs_yaml(wanted))


def test_a_file_is_written_for_people():
    members = {"alice": frozenset({"viewer", "editor"}), "bob": frozenset({"viewer"})}
    wanted = _wanted(
        Org("acme", "Acme Ünï: Inc.", _ALL, members),
        Org("no", "no", {**_ALL, "auditor": frozenset()}),
        Org("globex", "globex", _ALL),
        Org("123", "123", _LEAST),
        retired=frozenset({"oldco", "older"}),
    )

    assert orgs_yaml(wanted) == (
        """\
# Orgs, their roles and frontends for `hasura-kc-auth keycloak plan` and `apply`.
# What each key is: docs/orgs-file.md.
realm: acme
carrier: client-scope
audience: hasura
scope: '{org}'
frontends:
- client: frontend
  redirect_uris: ['https://a/*', 'https://b/*']
  web_origins: [+]
  public: true
template:
  roles:
    editor: [viewer]
    viewer: []
orgs:
  acme:
    display_name: 'Acme Ünï: Inc.'
    members:
      alice: [editor, viewer]
      bob: [viewer]
  'no':
    roles:
      auditor: []
  globex: {}
  '123':
    roles: {editor: null}
retired: [oldco, older]
"""
    )


def test_organizations_have_a_client_instead_of_a_scope():
    wanted = _wanted(carrier="organization", client="hasura")

    tree = _tree(wanted)

    assert tree["client"] == "hasura"
    assert "scope" not in tree


def test_the_issuer_is_written_where_it_has_to_be_named():
    urls = ["https://a/realms/acme", "https://b/realms/acme"]
    [issuer] = SETTINGS["issuers"]
    issuers = [{**issuer, "issuer": url, "namespace": url[8]} for url in urls]
    settings = loaded({**SETTINGS, "issuers": issuers})
    wanted = _wanted(Org("acme", "acme", _LEAST))

    assert read(orgs_yaml(wanted, urls[1]), settings) == OrgsFile(wanted, settings.issuers[1])
    assert len(refused(orgs_yaml(wanted), settings)) == 1


def test_the_template_is_what_more_orgs_have_than_lack():
    """In half of them, it saves nothing; and of several forms the most common one is taken."""
    none = frozenset[str]()
    roles: list[dict[str, frozenset[str]]] = [
        {"viewer": none, "editor": frozenset({"viewer"}), "half": none},
        {"viewer": none, "editor": frozenset({"viewer"}), "half": none},
        {"viewer": none, "editor": none, "own": none},
        {"viewer": none},
    ]

    tree = _tree(_wanted(*(Org(name, name, it) for name, it in zip("abcd", roles, strict=True))))

    assert tree["template"] == {"roles": {"viewer": [], "editor": ["viewer"]}}
    assert tree["orgs"] == {
        "a": {"roles": {"half": []}},
        "b": {"roles": {"half": []}},
        "c": {"roles": {"editor": [], "own": []}},
        "d": {"roles": {"editor": None}},
    }


_names = st.one_of(
    st.sampled_from(["no", "null", "~", "123", "1.5", "2024-01-01", "<<", "=", "true", "a: b"]),
    st.sampled_from(["[", "{org}", "- a", "#a", "'", '"', "!a", "&a", "*a", "%", "@", "`", "?"]),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8),
)
_RESERVED = {*KEYCLOAK_CLIENTS, *STANDARD_SCOPES, "frontend", "hasura", "hasura-audience", MY_ORGS}
_org_names = _names.filter(
    lambda it: it.isprintable() and _RESERVED.isdisjoint({it}) and set(" *:,/").isdisjoint(it)
)


@st.composite
def _orgs(draw: Any, name: str, natively: bool) -> Org:  # noqa: FBT001
    roles: dict[str, frozenset[str]] = {}
    # A role contains those that come before it: no cycles. With organizations it is always alike.
    for role in sorted(
        draw(st.sets(st.sampled_from(["editor", "org_admin", "viewer"]), min_size=1))
    ):
        before = [] if natively else sorted(roles)
        roles[role] = draw(st.frozensets(st.sampled_from(before))) if before else frozenset()
    held = st.frozensets(st.sampled_from(sorted(roles)), min_size=1)
    display_name = draw(st.just(name) | _names.map(lambda it: f"{it} of {name}"))
    return Org(name, display_name, roles, draw(st.dictionaries(_names, held, max_size=3)))


@st.composite
def _any_wanted(draw: Any) -> Wanted:
    natively = draw(st.booleans())
    frontend = Frontend(
        "frontend",
        draw(st.frozensets(_names, min_size=1, max_size=3)),
        draw(st.frozensets(_names, max_size=3)),
        public=draw(st.booleans()),
    )
    orgs = [draw(_orgs(name, natively)) for name in draw(st.lists(_org_names, unique=True))]
    retired = draw(st.frozensets(_names.map(lambda it: f"old {it}"), max_size=3))
    changes = {"carrier": "organization", "client": "hasura"} if natively else {}
    return _wanted(*orgs, frontends=(frontend,), retired=retired, **changes)


_LINE_ENDS = ["\n", "\r", "\x85", "\u2028", "\u2029", "\ufeff"]
_ODD = Org(
    "odd", "a\x85", _LEAST, {f"a {end}": frozenset({"viewer"}) for end in (*_LINE_ENDS, "b")}
)
_LONG = Org("a" * 255, "b" * 255, _LEAST, {"c" * 200: frozenset({"viewer"})})


@hypothesis.settings(deadline=None)
@given(_any_wanted())
@example(_wanted())
@example(_wanted(_ODD))
@example(_wanted(_LONG))
def test_what_is_written_is_read_as_the_same(wanted):
    settings = loaded(NATIVE_SETTINGS if wanted.carrier == "organization" else SETTINGS)

    assert read(orgs_yaml(wanted), settings) == OrgsFile(wanted, settings.issuers[0])
