"""Files of orgs that the service's settings speak against."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.orgs_at_hand import NATIVE_ORGS, NATIVE_SETTINGS, ORGS, SETTINGS, read, refused
from tests.config.settings_at_hand import ISSUER, changed, loaded

_NATIVE_ORG = {"from": "organization", "client": "hasura"}


# --- which issuer


def _several(*urls: str):
    [issuer] = SETTINGS["issuers"]
    issuers = [{**issuer, "issuer": url, "namespace": f"n{n}"} for n, url in enumerate(urls)]
    return loaded({**SETTINGS, "issuers": issuers})


def test_the_issuer_is_the_one_with_that_realm():
    settings = _several("https://b/realms/globex", ISSUER, "https://b/realms/acme/x")

    assert read(ORGS, settings).issuer == settings.issuers[1]


@pytest.mark.parametrize(
    "url",
    [
        "https://sso.example.com/realms/globex",
        "https://sso.example.com/realms/acme-eu",
        "https://sso.example.com/realms/eu-acme",
        "https://sso.example.com/realms/Acme",
        "https://sso.example.com/realms/acme/",
        "https://sso.example.com/acme",
        "https://acme",
    ],
)
def test_without_an_issuer_of_that_realm_there_is_no_file(url):
    settings = loaded(changed({"issuers.0.issuer": url}, SETTINGS))

    assert refused(ORGS, settings) == [
        "realm: none of the settings' `issuers` ends with /realms/acme"
    ]


@pytest.mark.parametrize(
    ("realm", "url"),
    [
        ("acme", "https://sso.example.com/auth/realms/acme"),
        ("Acme Ü", "https://sso.example.com/realms/Acme%20%C3%9C"),
    ],
)
def test_a_realm_is_found_by_its_name(realm, url):
    settings = loaded(changed({"issuers.0.issuer": url}, SETTINGS))

    assert read(changed({"realm": realm}, ORGS), settings).issuer.issuer == url


def test_of_several_issuers_with_that_realm_one_has_to_be_named():
    urls = [ISSUER, "https://eu.example.com/realms/acme", "https://eu.example.com/realms/globex"]
    settings = _several(*urls)

    assert refused(ORGS, settings) == [
        "realm: several of the settings' `issuers` have it; name one of them in `issuer`"
    ]
    for issuer in settings.issuers[:2]:
        assert read(changed({"issuer": issuer.issuer}, ORGS), settings).issuer == issuer
    for url in (urls[2], "https://sso.example.com"):
        assert refused(changed({"issuer": url}, ORGS), settings) == [
            "issuer: is none of the settings' `issuers` that end with /realms/acme"
        ]


# --- what does not fit


def _misfit(changes: dict[str, Any], *said: str, base: Any = ORGS, settings: Any = SETTINGS):
    return pytest.param(
        changed(changes, base), settings, [*said], id=f"{base['carrier']}, {said[0]}"
    )


_OF_ISSUER = "the issuer's"
_ROWS = [
    _misfit(
        {},
        f"carrier: is client-scope, and {_OF_ISSUER} `org.from` is organization",
        settings=NATIVE_SETTINGS,
    ),
    _misfit(
        {},
        f"carrier: is organization, and {_OF_ISSUER} `org.from` is client-scope",
        base=NATIVE_ORGS,
    ),
    _misfit(
        {},
        f"carrier: is client-scope, and {_OF_ISSUER} `org.from` is claim",
        settings=changed({"issuers.0.org": {"from": "claim", "claim": "org"}}, SETTINGS),
    ),
    _misfit({"audience": "other"}, f"audience: other is not among {_OF_ISSUER} `audiences`"),
    _misfit(
        {},
        f"audience: hasura is not among {_OF_ISSUER} `audiences`",
        settings=changed({"issuers.0.audiences": []}, SETTINGS),
    ),
    _misfit(
        {"scope": "org:{org}"},
        f"scope: is org:{{org}}, and {_OF_ISSUER} `org.scope` is {{org}}",
    ),
    _misfit(
        {},
        f"scope: is {{org}}, and {_OF_ISSUER} `org.scope` is org:{{org}}",
        settings=changed({"issuers.0.org": {"scope": "org:{org}"}}, SETTINGS),
    ),
    _misfit(
        {"client": "other"},
        f"client: is other, and {_OF_ISSUER} `org.client` is hasura",
        base=NATIVE_ORGS,
        settings=NATIVE_SETTINGS,
    ),
    _misfit(
        {},
        f"client: is hasura, and {_OF_ISSUER} `org.client` is not set",
        base=NATIVE_ORGS,
        settings=changed(
            {"issuers.0.org": {"from": "organization", "realm_roles": True}}, SETTINGS
        ),
    ),
    *(
        _misfit(
            {},
            f"carrier: gives nested roles, and {_OF_ISSUER} `org.roles` is {roles}",
            base=NATIVE_ORGS,
            settings=changed({"issuers.0.org": {"from": "organization", "roles": roles}}, SETTINGS),
        )
        for roles in ("groups", "client")
    ),
    *(
        _misfit(
            {},
            f"carrier: makes the alias the org's id, and {_OF_ISSUER} `org.id` is {id_from}",
            base=NATIVE_ORGS,
            settings=changed({"issuers.0.org": {**_NATIVE_ORG, "id": id_from}}, SETTINGS),
        )
        for id_from in ("id", "attribute:tenant")
    ),
    _misfit(
        {"frontends": [*ORGS["frontends"], {"client": "mobile", "redirect_uris": ["app:/"]}]},
        f"frontends.1.client: mobile is not among {_OF_ISSUER} `clients`",
    ),
    _misfit(
        {"orgs": {"mobile": {}, "acme": {}}},
        f"orgs.mobile: is one of {_OF_ISSUER} `clients`, and never an org",
        settings=changed({"issuers.0.clients": ["frontend", "mobile"]}, SETTINGS),
    ),
    _misfit(
        {},
        f"orgs.globex: is not among {_OF_ISSUER} `org.only`",
        settings=changed({"issuers.0.org": {"only": ["a*"]}}, SETTINGS),
    ),
    _misfit(
        {},
        f"orgs.globex: is not among {_OF_ISSUER} `org.only`",
        base=NATIVE_ORGS,
        settings=changed({"issuers.0.org": {**_NATIVE_ORG, "only": ["a*"]}}, SETTINGS),
    ),
]


@pytest.mark.parametrize(("orgs", "settings", "said"), _ROWS)
def test_what_does_not_fit_the_settings_is_refused(orgs, settings, said):
    assert refused(orgs, loaded(settings)) == said


def test_a_service_may_accept_more_than_the_file_sets_up():
    settings = changed(
        {
            "issuers.0.clients": ["other", "frontend"],
            "issuers.0.org": {**_NATIVE_ORG, "realm_roles": True, "only": ["*"], "deny": ["x*"]},
        },
        SETTINGS,
    )

    assert [*read(NATIVE_ORGS, loaded(settings)).wanted.orgs] == ["acme", "globex"]


def test_an_org_that_is_cut_off_now_stays_in_the_file():
    settings = changed({"issuers.0.org": {"deny": ["glob*"]}}, SETTINGS)

    assert [*read(ORGS, loaded(settings)).wanted.orgs] == ["acme", "globex"]


def test_a_role_that_is_not_allowed_is_named_where_it_is_written():
    orgs = changed(
        {
            "template.roles": {"viewer": [], "auditor": [], "boss": []},
            "orgs": {
                "acme": {"roles": {"auditor": None, "owner": ["viewer"]}},
                "globex": {"roles": {"auditor": []}},
                "umbrella": {},
            },
        },
        ORGS,
    )
    settings = {
        **SETTINGS,
        "roles": {"allowed": ["viewer", "org_admin"], "map": {"boss": "org_admin"}},
    }

    assert refused(orgs, loaded(settings)) == [
        "template.roles.auditor: is not in the settings' `roles.allowed`",
        "orgs.acme.roles.owner: is not in the settings' `roles.allowed`",
        "orgs.globex.roles.auditor: is not in the settings' `roles.allowed`",
    ]


def test_it_is_the_role_after_the_map_that_must_be_allowed():
    """`map` renames: the name before it is gone. Two roles may become one."""
    settings = loaded(
        changed(
            {"roles": {"allowed": ["editor"], "map": {"admin": "editor", "a b": "editor"}}},
            SETTINGS,
        )
    )
    roles = {"admin": [], "a b": ["admin"], "editor": []}

    assert read(changed({"template.roles": roles}, ORGS), settings).wanted.orgs["acme"].roles == {
        "admin": frozenset(),
        "a b": frozenset({"admin"}),
        "editor": frozenset(),
    }
