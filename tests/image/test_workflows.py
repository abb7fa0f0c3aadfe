"""What the workflows promise, read from them. `make lint-deploy` checks their form."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.image.conftest import ROOT

WORKFLOWS = {
    file.stem: yaml.safe_load(file.read_text("utf-8"))
    for file in (ROOT / ".github" / "workflows").glob("*.yml")
}


def steps_of(workflow: str, job: str) -> list[Any]:
    steps: list[Any] = WORKFLOWS[workflow]["jobs"][job]["steps"]
    return steps


@pytest.mark.parametrize("name", ["ci", "release"])
def test_nothing_more_is_granted_than_a_job_says_it_needs(name):
    workflow = WORKFLOWS[name]

    assert workflow["permissions"] == {"contents": "read"}
    granted = {
        job: it["permissions"] for job, it in workflow["jobs"].items() if "permissions" in it
    }
    assert granted == (
        {}
        if name == "ci"
        else {
            "image": {
                "contents": "read",
                "packages": "write",
                "id-token": "write",
                "attestations": "write",
            }
        }
    )


def test_a_change_is_judged_by_the_one_script_and_so_is_a_release():
    assert [it["run"] for it in steps_of("ci", "ci") if "run" in it] == ["bash .ci/run"]
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["image"]["needs"] == "ci"
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"


def test_the_python_that_judges_is_the_images():
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    [base] = re.findall(r"^ARG PYTHON=(\S+)$", dockerfile, re.MULTILINE)

    assert WORKFLOWS["ci"]["jobs"]["ci"]["container"] == base.replace("-slim", "")


def test_what_is_released_is_for_both_architectures_signed_and_attested(stages):
    steps = steps_of("release", "image")
    [build] = [it["with"] for it in steps if it.get("id") == "build"]
    attested = [it["with"] for it in steps if it.get("uses", "").startswith("actions/attest-")]
    signing = [it["run"] for it in steps if "cosign sign" in it.get("run", "")]

    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["push"], build["provenance"], build["sbom"]) == (True, "mode=max", True)
    given = {line.split("=")[0] for line in build["build-args"].splitlines()}
    assert given == {it.text.split("=")[0] for it in stages[-1].all("ARG")}
    assert signing == ['cosign sign --yes "${IMAGE}@${DIGEST}"']
    assert len(attested) == 2
    assert {it["subject-digest"] for it in attested} == {"${{ steps.build.outputs.digest }}"}
    assert {it.get("sbom-path") for it in attested} == {None, "dist/sbom.cdx.json"}


def test_the_package_is_of_the_version_that_the_tag_names():
    [check] = [it["run"] for it in steps_of("release", "image") if "grep" in it.get("run", "")]

    source = (ROOT / check.split()[-1]).read_text("utf-8")
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+"$', source, re.MULTILINE)
