"""What the Dockerfile promises, read from it."""

from __future__ import annotations

import re

import pytest

from hasura_kc_auth.cli import app
from hasura_kc_auth.config.sources import ConfigurationError, load, load_management
from tests.image.conftest import ROOT
from tests.image.dockerfile import Instruction, Stage, read_stages, sent_to_the_engine

LEAST = {
    "HASURA_KC_AUTH__ISSUER": "https://sso.example.com/realms/acme",
    "HASURA_KC_AUTH__CLIENTS": "frontend",
    "HASURA_KC_AUTH__ROLES__ALLOWED": "viewer",
}


@pytest.fixture
def final(stages: list[Stage]) -> Stage:
    return stages[-1]


@pytest.fixture
def settings_of_the_image(final: Stage) -> dict[str, str]:
    return {n: it for n, it in final.environment.items() if n.startswith("HASURA_KC_AUTH__")}


def test_it_runs_as_a_number_that_is_not_root(final):
    user, group = final.last("USER").text.split(":")

    assert int(user) == int(group) == 65532


def test_nothing_at_run_time_goes_through_a_shell(final):
    assert final.last("ENTRYPOINT").words == ["hasura-kc-auth"]
    assert final.last("CMD").words == ["serve"]
    kind, _, words = final.last("HEALTHCHECK").text.partition(" ")
    assert (kind, Instruction("CMD", {}, words).words) == ("CMD", ["hasura-kc-auth", "healthcheck"])


def test_what_it_runs_are_commands(final):
    commands = {it.name or it.callback.__name__ for it in app.registered_commands if it.callback}

    assert {*final.last("CMD").words, "healthcheck"} <= commands


def test_every_requirement_is_installed_by_its_hash_and_from_a_wheel(stages):
    installs = [
        command
        for it in stages[0].all("RUN")
        for command in it.text.split("&&")
        if re.search(r"\bpip\b.* install ", command)
    ]

    by_hash = [it for it in installs if "--require-hashes --only-binary :all:" in it]
    own = [it for it in installs if "--no-deps --no-index" in it]
    assert len(by_hash) == 2
    assert len(own) == 1
    assert len(installs) == 3


def test_the_last_stage_runs_nothing_and_takes_only_what_was_built(stages):
    build, final = stages

    assert final.all("RUN") == final.all("ADD") == []
    assert [(it.flags, it.text.split()) for it in final.all("COPY")] == [
        ({"from": build.name}, ["/opt/hasura-kc-auth", "/opt/hasura-kc-auth"])
    ]
    assert build.base == final.base  # or the virtual environment would miss its Python


def test_both_listeners_are_on_all_addresses_by_the_variables(settings_of_the_image):
    chosen = {"HASURA_KC_AUTH__INSECURE_TRANSPORT": "true"}

    settings = load(None, {**settings_of_the_image, **LEAST, **chosen})

    assert (settings.webhook.host, settings.management.host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104
    assert load_management(None, settings_of_the_image).host == "0.0.0.0"  # noqa: S104


def test_how_the_webhook_is_guarded_is_left_to_be_chosen(settings_of_the_image):
    with pytest.raises(ConfigurationError) as refused:
        load(None, {**settings_of_the_image, **LEAST})

    [problem] = refused.value.problems
    assert problem.startswith("webhook.host: is not loopback: set webhook.tls, or insecure_trans")


def test_the_ports_told_are_the_ports_listened_on(final, settings_of_the_image):
    chosen = {"HASURA_KC_AUTH__INSECURE_TRANSPORT": "true"}
    settings = load(None, {**settings_of_the_image, **LEAST, **chosen})

    told = [int(port) for port in final.last("EXPOSE").text.split()]
    assert told == [settings.webhook.port, settings.management.port]


def test_the_labels_are_those_of_oci(final):
    [labels] = final.all("LABEL")

    assert {name.removeprefix("org.opencontainers.image.") for name in labels.pairs} == {
        "title",
        "description",
        "licenses",
        "version",
        "revision",
        "created",
    }
    arguments = {it.text.partition("=")[0] for it in final.all("ARG")}
    assert set(re.findall(r"\$\{(\w+)\}", labels.text)) == arguments


def test_what_is_copied_is_what_is_sent_and_nothing_else_is(stages, tmp_path):
    sent_to_the_engine(ROOT, (ROOT / ".dockerignore").read_text("utf-8"), tmp_path / "sent")
    copied = {
        name.rstrip("/")
        for it in stages[0].all("COPY")
        for name in it.text.split()[:-1]
        if "from" not in it.flags
    }

    sent = {
        str(path.relative_to(tmp_path / "sent"))
        for path in (tmp_path / "sent").rglob("*")
        if path.is_file() and path.suffix != ".py"
    }
    assert sent == (copied - {"hasura_kc_auth"}) | {"hasura_kc_auth/py.typed"}


def test_python_is_the_one_that_the_suite_says_it_runs_on():
    readme = (ROOT / "README.md").read_text("utf-8")
    [version] = re.findall(
        r"^ARG PYTHON=.*:(3\.\d+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )

    assert f"Linux with Python {version} is what the suite runs on" in readme


def test_the_reader_reads_flags_continued_lines_and_remarks():
    text = "FROM a AS b\n# x\nRUN one \\\n # two\n  three\nCOPY --from=b --chmod=1 /c d/\n"

    [stage] = read_stages(text)

    assert (stage.base, stage.name) == ("a", "b")
    assert [tuple(it) for it in stage.instructions] == [
        ("RUN", {}, "one    three"),
        ("COPY", {"from": "b", "chmod": "1"}, "/c d/"),
    ]
