"""The tree that the Dockerfile's own steps make: it starts, serves, is healthy and stops.

As in a container: the image's user, no shell and no tool in PATH, and a root file system that is
read-only, by a mount where this machine lets us (as root, on Linux). Elsewhere at least the tree
may not be written in, and not a byte be written to any file.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.cli.commands import Served, ask, bearer, free_ports, until
from tests.cli.realm import Realm
from tests.image.conftest import MACHINE, SWITCH, Image
from tests.image.dockerfile import size_by_package

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL: what `docker stop` waits unless told otherwise."""

if MACHINE.get(SWITCH) != "1":
    pytest.skip(f"the image's steps need a package index, and {SWITCH}=1", allow_module_level=True)

pytestmark = pytest.mark.timeout(300)  # the first test pays for the build


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    realm = Realm()
    yield realm
    realm.stop()


def _write_to_no_file() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


# Makes the root file system read-only for what follows and for nobody else, then changes the user.
_ENTER = (
    "user=$1 group=$2; shift 2; /bin/mount -o remount,bind,ro / && exec /usr/bin/setpriv"
    ' --reuid="$user" --regid="$group" --clear-groups --inh-caps=-all --no-new-privs -- "$@"'
)
_CONTAINER = ["/usr/bin/unshare", "--mount", "--propagation=private", "/bin/sh", "-c", _ENTER, "sh"]


@cache
def can_mount() -> bool:
    trial = [*_CONTAINER, "65532", "65532", "/bin/true"]
    try:
        return os.geteuid() == 0 and subprocess.run(trial, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def start(image: Image, words: list[str], **variables: str) -> subprocess.Popen[str]:
    """Start words in the image as its user; as our own where we may not change to that."""
    user, group = image.stage.last("USER").text.split(":")
    command = [str(image.build.root / "opt/hasura-kc-auth/bin" / words[0]), *words[1:]]
    whose = {"user": int(user), "group": int(group), "extra_groups": []}
    if can_mount():
        command, whose = [*_CONTAINER, user, group, *command], {}
    elif os.geteuid() != 0:
        whose = {}
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        cwd=image.build.root,
        env={**image.environment, "TMPDIR": str(image.build.root), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_write_to_no_file,  # noqa: PLW1509 - the child only sets a limit
        **whose,  # type: ignore[call-overload]
    )


def settings(realm: Realm, served: Served) -> dict[str, str]:
    return {
        "HASURA_KC_AUTH__ISSUER": realm.issuer.issuer,
        "HASURA_KC_AUTH__CLIENTS": "frontend",
        "HASURA_KC_AUTH__AUDIENCES": "hasura",
        "HASURA_KC_AUTH__ROLES__ALLOWED": "org_admin,editor,viewer",
        # Tests listen on loopback only; in a container these two are left as the image has them.
        "HASURA_KC_AUTH__WEBHOOK__HOST": "127.0.0.1",
        "HASURA_KC_AUTH__MANAGEMENT__HOST": "127.0.0.1",
        "HASURA_KC_AUTH__WEBHOOK__PORT": str(served.webhook),
        "HASURA_KC_AUTH__MANAGEMENT__PORT": str(served.management),
        "HASURA_KC_AUTH__WEBHOOK__DRAIN": "1s",
    }


def run(image: Image, words: list[str], **variables: str) -> tuple[int, str, str]:
    process = start(image, words, **variables)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_it_serves_is_healthy_and_stops(image, realm, capsys):
    served = Served(*free_ports(2))
    variables = settings(realm, served)
    stage = image.stage
    words = [*stage.last("ENTRYPOINT").words, *stage.last("CMD").words]
    began = time.monotonic()  # noqa: TID251 - what is measured
    with start(image, words, **variables) as service:
        try:
            until(lambda: served.ready() == 200)
            ready = time.monotonic() - began  # noqa: TID251
            healthy = run(image, health_words(image), **variables)
            answer = ask(served.webhook, headers=bearer(realm.token("alice", "openid acme")))
            service.send_signal(signal.SIGTERM)
            out, err = service.communicate(timeout=GRACE)
        finally:
            service.kill()

    assert healthy == (0, "", "")
    assert (answer.status, answer.body["X-Hasura-Org-Id"], answer.body["X-Hasura-Role"]) == (
        200,
        "acme",
        "editor",
    )
    assert (service.returncode, err) == (0, "")
    assert '"stopped"' in out
    with capsys.disabled():
        print(f"\n{ready:.2f} s from start to ready")  # noqa: T201 - a figure, not a check


def health_words(image: Image) -> list[str]:
    _, _, words = image.stage.last("HEALTHCHECK").text.partition(" ")
    return list(image.stage.last("CMD")._replace(text=words).words)


def test_nobody_listening_is_unhealthy(image):
    [port] = free_ports()

    code, out, err = run(image, health_words(image), HASURA_KC_AUTH__MANAGEMENT__PORT=str(port))

    assert (code, out) == (3, "")
    assert err == f"management.host, management.port: no answer from http://127.0.0.1:{port}\n"


def test_as_it_is_it_says_what_is_to_be_chosen(image, realm):
    variables = settings(realm, Served(*free_ports(2)))
    del variables["HASURA_KC_AUTH__WEBHOOK__HOST"]

    code, out, err = run(image, ["hasura-kc-auth", "serve"], **variables)

    assert (code, out) == (2, "")
    assert err == (
        "configuration: webhook.host: is not loopback: set webhook.tls, or insecure_transport: true"
        " where the network lets nobody but Hasura in (from HASURA_KC_AUTH__WEBHOOK__HOST)\n"
    )


def test_the_demo_runs_in_it(image):
    code, out, err = run(image, ["hasura-kc-auth", "demo", "--once"])

    assert (code, err) == (0, "")
    assert "acme" in out


def test_what_is_read_from_redis_is_in_it(image):
    python = image.build.root / "opt/hasura-kc-auth/bin/python"

    assert run(image, [str(python), "-c", "import hasura_kc_auth.stores.shared"]) == (0, "", "")


def test_it_holds_what_is_pinned_and_no_tool_to_install_more(image, capsys):
    sizes = dict(size_by_package(image.build.root))
    programs = {it.name for it in (image.build.root / "opt/hasura-kc-auth/bin").iterdir()}

    assert {"hasura_kc_auth", "aiohttp", "redis"} <= sizes.keys()
    assert not {"pip", "setuptools", "hatchling"} & (sizes.keys() | programs)
    whole = sum(it.lstat().st_size for it in image.build.root.rglob("*") if not it.is_dir())
    most = sorted(sizes.items(), key=lambda it: -it[1])[:8]
    with capsys.disabled():
        print(f"\n{whole / 1e6:.1f} MB above the base: {most}")  # noqa: T201 - a figure


def test_the_tree_lies_where_the_image_says_and_nowhere_else(image):
    files = {it.relative_to(image.build.root).parts[:2] for it in image.build.root.rglob("*/*")}

    assert files == {("opt", "hasura-kc-auth")}
    assert not os.access(image.build.root, os.W_OK) or os.geteuid() == 0
    assert Path(image.build.root / "opt/hasura-kc-auth/bin/hasura-kc-auth").is_file()
