"""Who logs in to a realm: said by options, by variables, or on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from hasura_kc_auth.config.credentials import LoginOptions, login_of
from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.keycloak.admin.api import Login


def nobody(question: str) -> str:
    raise AssertionError(question)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("from-file\n")
    return file


def refused(options: LoginOptions, environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        login_of(options, environment, lambda _: "")
    return refusal.value.problems


def test_a_service_account_by_options(secret: Path) -> None:
    options = LoginOptions(client_id="ops", client_secret_file=secret, realm="tools")

    assert login_of(options, {}, nobody) == Login(
        client_id="ops", client_secret="from-file", realm="tools"
    )


def test_a_service_account_by_variables(secret: Path) -> None:
    ours = Login(client_id="ops", client_secret="from-variable")
    written = {"KEYCLOAK_CLIENT_ID": "ops", "KEYCLOAK_CLIENT_SECRET": "from-variable"}
    named = {"KEYCLOAK_CLIENT_ID": "ops", "KEYCLOAK_CLIENT_SECRET_FILE": str(secret)}

    assert login_of(LoginOptions(), written, nobody) == ours
    assert login_of(LoginOptions(), named, nobody) == Login(
        client_id="ops", client_secret="from-file"
    )


def test_an_admin_by_options_and_by_variables(secret: Path) -> None:
    options = LoginOptions(admin="root", admin_password_file=secret)
    variables = {"KEYCLOAK_USER": "root", "KEYCLOAK_PASSWORD": "from-variable"}

    assert login_of(options, {}, nobody) == Login(username="root", password="from-file")
    assert login_of(LoginOptions(), variables, nobody) == Login(
        username="root", password="from-variable"
    )


def test_options_win_over_variables(secret: Path) -> None:
    service = {"KEYCLOAK_CLIENT_ID": "other", "KEYCLOAK_CLIENT_SECRET": "other"}
    admin = {"KEYCLOAK_USER": "other", "KEYCLOAK_PASSWORD": "other"}
    as_client = LoginOptions(client_id="ops", client_secret_file=secret)
    as_admin = LoginOptions(admin="root", admin_password_file=secret)

    assert login_of(as_client, service | admin, nobody).client_id == "ops"
    assert login_of(as_client, service, nobody).client_secret == "from-file"
    assert login_of(as_admin, service | admin, nobody) == Login(
        username="root", password="from-file"
    )


def test_a_service_account_comes_before_an_admin_where_variables_name_both() -> None:
    both = {"KEYCLOAK_CLIENT_ID": "ops", "KEYCLOAK_CLIENT_SECRET": "s", "KEYCLOAK_USER": "root"}

    assert login_of(LoginOptions(), both, nobody) == Login(client_id="ops", client_secret="s")


def test_a_password_is_asked_for_where_nothing_tells_it() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "typed"

    assert login_of(LoginOptions(admin="root"), {}, ask) == Login(username="root", password="typed")
    assert asked == ["Password of root"]


def test_an_empty_or_missing_file_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    missing = tmp_path / "missing"

    assert refused(LoginOptions(client_id="ops", client_secret_file=empty), {}) == [
        "--client-secret-file: must not be empty"
    ]
    assert refused(LoginOptions(admin="root", admin_password_file=missing), {}) == [
        "--admin-password-file: its file must be readable text"
    ]
    assert refused(LoginOptions(admin="root"), {"KEYCLOAK_PASSWORD_FILE": str(missing)}) == [
        "KEYCLOAK_PASSWORD_FILE: its file must be readable text"
    ]


@pytest.mark.parametrize(
    ("options", "environment", "problem"),
    [
        (
            LoginOptions(),
            {},
            "--client-id or --admin: who is to log in? Or set KEYCLOAK_CLIENT_ID, or KEYCLOAK_USER",
        ),
        (
            LoginOptions(client_id="ops", admin="root"),
            {},
            "--client-id and --admin: only one of them can log in",
        ),
        (
            LoginOptions(client_id="ops"),
            {},
            (
                "--client-secret-file: is needed, or KEYCLOAK_CLIENT_SECRET, or "
                "KEYCLOAK_CLIENT_SECRET_FILE"
            ),
        ),
        (
            LoginOptions(admin="root"),
            {},
            "--admin-password-file: is needed, or KEYCLOAK_PASSWORD, or KEYCLOAK_PASSWORD_FILE",
        ),
        (
            LoginOptions(client_id="ops"),
            {"KEYCLOAK_CLIENT_SECRET": "a", "KEYCLOAK_CLIENT_SECRET_FILE": "b"},
            "KEYCLOAK_CLIENT_SECRET and KEYCLOAK_CLIENT_SECRET_FILE: only one of them can be set",
        ),
    ],
)
def test_what_is_missing_is_said(
    options: LoginOptions, environment: dict[str, str], problem: str
) -> None:
    assert refused(options, environment) == [problem]


def test_a_login_does_not_show_its_secret() -> None:
    shown = repr(Login(client_id="ops", client_secret="hidden", password="hidden"))

    assert "hidden" not in shown
    assert "ops" in shown
