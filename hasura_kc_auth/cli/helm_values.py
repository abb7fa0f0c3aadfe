from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer
import yaml

from hasura_kc_auth import __version__
from hasura_kc_auth.cli.running import ConfigOption, refuse
from hasura_kc_auth.cli.sidecar import FOLDER, Sidecar, hasura_chart_values
from hasura_kc_auth.config.sections import is_loopback
from hasura_kc_auth.config.sources import ConfigurationError, Tree, as_written

_IMAGE = f"ghcr.io/hasura-kc-auth/hasura-kc-auth:{__version__}"
_SYSTEM_FOLDER = "/etc/ssl/"
_NAMES = typer.Option(
    metavar="NAME", help=f"Mounted: its keys become files, {FOLDER}/NAME/KEY. May be repeated."
)


def helm_values(
    config: ConfigOption = None,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="This service's image.")] = _IMAGE,
    secret: Annotated[list[str] | None, _NAMES] = None,
    config_map: Annotated[list[str] | None, _NAMES] = None,
    extra_container: Annotated[
        bool,
        typer.Option(
            "--extra-container",
            help="For Kubernetes before 1.29, which has no native sidecars: an ordinary container.",
        ),
    ] = False,
) -> None:
    """Print values for Hasura's own Helm chart: this service in each pod, beside the engine.

    The settings are checked, and go along as variables. Files that they name are not looked for.

    helm upgrade hasura hasura/graphql-engine --values yours.yaml --values printed.yaml
    """
    try:
        settings = as_written(config, os.environ)  # noqa: TID251 - handed on: config.sources reads it
    except ConfigurationError as error:
        refuse(error.problems)
    sidecar = Sidecar(
        settings, not extra_container, image, tuple(secret or ()), tuple(config_map or ())
    )
    if problems := [*_listener_problems(sidecar), *_file_problems(sidecar)]:
        refuse(problems)
    values = hasura_chart_values(sidecar)
    typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


def _listener_problems(sidecar: Sidecar) -> Iterator[str]:
    """Yield what is right for a service that stands alone, but not for a sidecar."""
    if sidecar.webhook.get("tls"):
        yield "webhook.tls: a sidecar's webhook is on loopback and needs none: leave it out"
    if not is_loopback(sidecar.host):
        yield "webhook.host: must be loopback in a sidecar: leave it out"
    if is_loopback(sidecar.management.get("host", "")):
        yield "management.host: is loopback, where no probe reaches it: leave it out"


def _file_problems(sidecar: Sidecar) -> Iterator[str]:
    names = (*sidecar.secrets, *sidecar.config_maps)
    mounted = (_SYSTEM_FOLDER, *(f"{FOLDER}/{name}/" for name in names))
    for setting, value in _outside(sidecar.settings):
        if value is None:
            continue
        if not setting.endswith("_file"):
            yield (
                f"{setting}: does not belong into values: put it into a Secret, give that by "
                f"--secret NAME, and write {setting.rpartition('.')[2]}_file: {FOLDER}/NAME/KEY"
            )
        elif not str(value).startswith(mounted):
            yield (
                f"{setting}: lies in nothing that is mounted: give its Secret by --secret NAME, "
                f"and write {FOLDER}/NAME/KEY"
            )


def _outside(settings: Tree) -> Iterator[tuple[str, Any]]:
    """Yield the settings that are secrets, or name files."""
    for index, issuer in enumerate(settings["issuers"]):
        introspection = issuer.get("introspection") or {}
        yield f"issuers.{index}.ca_file", issuer.get("ca_file")
        for name in ("client_secret", "client_secret_file"):
            yield f"issuers.{index}.introspection.{name}", introspection.get(name)
    for name in ("url", "url_file"):
        yield f"shared.{name}", (settings.get("shared") or {}).get(name)
