"""Brings the Keycloak distribution: downloaded, unpacked and built once, then kept in a cache."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".keycloak"
OLDEST_JAVA = 17
BRING_TIMEOUT = 600.0
BUILD_TIMEOUT = 180.0


class KeycloakFailed(Exception):
    """The server could not be brought, started or stopped; the text ends with its last output."""


@dataclass(frozen=True)
class Tools:
    java_home: str | None
    mvn: str

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Make what kc.sh and mvn start use the same Java; nobody's JAVA_OPTS or KC_* leak in."""
        kept = {name: value for name, value in env.items() if not name.startswith(("JAVA_", "KC_"))}
        if self.java_home:
            kept["JAVA_HOME"] = self.java_home
        return kept


def find_tools(env: Mapping[str, str]) -> Tools | str:
    """Return the tools, or in one plain line why there are none; missing tools are no exception."""
    java_home = env.get("JAVA_HOME") or None
    path = env.get("PATH")
    java = shutil.which("java", path=f"{java_home}/bin" if java_home else path)
    if java is None:
        return "needs a real Keycloak, and java is not installed"
    found = _java_version(java)
    if found is None or found < OLDEST_JAVA:
        return f"needs a real Keycloak, and {java} is not Java {OLDEST_JAVA} or newer"
    mvn = shutil.which("mvn", path=path)
    if mvn is None:
        return "needs a real Keycloak, and mvn is not installed"
    return Tools(java_home, mvn)


def _java_version(java: str) -> int | None:
    # Some systems have a `java` that only tells where to get one, so it must answer.
    try:
        answer = subprocess.run(  # noqa: S603 - the java of the developer's own PATH
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if answer.returncode == 0 and version else None


def bring(version: str, tools: Tools, env: Mapping[str, str], cache: Path = CACHE) -> Path:
    """Return the home of an unpacked, built server that nobody may start in place.

    Quick when it is there already; two test runs at once wait for each other.
    """
    folder = cache / version
    home = folder / f"keycloak-{version}"
    built = folder / "built"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not built.exists():
            _unpack(version, folder, tools, env)
            _build(home, tools, env)
            # Written last, so that an interrupted run starts over.
            built.touch()
    return home


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack(version: str, folder: Path, tools: Tools, env: Mapping[str, str]) -> None:
    command = [tools.mvn, "--batch-mode", "--quiet", f"--file={POM}", "process-resources"]
    command += [f"-Dkeycloak.version={version}", f"-Dkeycloak.folder={folder}"]
    _run(command, tools.environment(env), BRING_TIMEOUT)


def _build(home: Path, tools: Tools, env: Mapping[str, str]) -> None:
    # Half of a first start is this step. Done once here, no run pays for it again.
    # `--cache` is no option of this step in every version; it is given at the start.
    _run([str(home / "bin" / "kc.sh"), "build", "--db=dev-file"], tools.environment(env))


def _run(command: list[str], env: Mapping[str, str], timeout: float = BUILD_TIMEOUT) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - mvn and kc.sh, with arguments made here
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise KeycloakFailed(f"{command[0]} took more than {timeout:.0f} s") from expired
    if done.returncode:
        raise KeycloakFailed(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-2000:]}")


def copy_home(home: Path, target: Path) -> Path:
    """Copy the server: its database and caches live in its folder, and a run wants its own."""
    return Path(shutil.copytree(home, target, symlinks=True, copy_function=_clone))


def _clone(source: str, target: str) -> None:
    # A started server reads its libraries and never writes them, so a link will do there.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
