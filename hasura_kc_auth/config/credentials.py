"""How the commands that look into a realm log in: by options, else by the environment.

Secrets come from files or from variables, never from the command line, where others read them. The
variables are called as other tools for Keycloak call them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hasura_kc_auth.config.sections import read_secret
from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.keycloak.admin.api import Login

CLIENT_ID = "KEYCLOAK_CLIENT_ID"
CLIENT_SECRET = "KEYCLOAK_CLIENT_SECRET"  # noqa: S105 - a variable's name
USER = "KEYCLOAK_USER"
PASSWORD = "KEYCLOAK_PASSWORD"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """What the command line says; "" and None where it says nothing.

    `realm`: where the account is; default: an admin's is master, a client's the realm itself.
    """

    client_id: str = ""
    client_secret_file: Path | None = None
    admin: str = ""
    admin_password_file: Path | None = None
    realm: str = ""


def login_of(
    options: LoginOptions, environment: Mapping[str, str], ask: Callable[[str], str]
) -> Login:
    """Return who logs in. `ask`: for a password that nothing else tells; "" for none.

    Raises ConfigurationError.
    """
    client_id = options.client_id or ("" if options.admin else environment.get(CLIENT_ID, ""))
    admin = options.admin or ("" if client_id else environment.get(USER, ""))
    if client_id and admin:
        raise ConfigurationError(["--client-id and --admin: only one of them can log in"])
    if client_id:
        secret = _secret(
            options.client_secret_file, CLIENT_SECRET, environment, "--client-secret-file"
        )
        if not secret:
            raise ConfigurationError(
                [f"--client-secret-file: is needed, or {CLIENT_SECRET}, or {CLIENT_SECRET}_FILE"]
            )
        return Login(client_id=client_id, client_secret=secret, realm=options.realm)
    if not admin:
        raise ConfigurationError(
            [f"--client-id or --admin: who is to log in? Or set {CLIENT_ID}, or {USER}"]
        )
    password = _secret(options.admin_password_file, PASSWORD, environment, "--admin-password-file")
    password = password or ask(f"Password of {admin}")
    if not password:
        raise ConfigurationError(
            [f"--admin-password-file: is needed, or {PASSWORD}, or {PASSWORD}_FILE"]
        )
    return Login(username=admin, password=password, realm=options.realm)


def _secret(file: Path | None, variable: str, environment: Mapping[str, str], option: str) -> str:
    """Return a secret by its option, its variable, or the file that its variable names."""
    written, named = environment.get(variable, ""), environment.get(f"{variable}_FILE", "")
    if file is None and written and named:
        raise ConfigurationError([f"{variable} and {variable}_FILE: only one of them can be set"])
    where = option if file is not None else f"{variable}_FILE"
    if file is None and not named:
        return written
    try:
        return read_secret(None, file or Path(named))
    except ValueError as error:
        raise ConfigurationError([f"{where}: {error}"]) from None
