"""A real PostgreSQL for the tests: on a Unix socket in a folder of its own, and no port at all."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

_DEBIAN = Path("/usr/lib/postgresql")
_STARTS = 200
_USERS = ("postgres", "nobody")


def find_programs() -> Path | None:
    """Return the folder of initdb and postgres: in Debian it is not in PATH."""
    inside = [Path(it).parent for it in (shutil.which("initdb"),) if it]
    folders = [*inside, *sorted(_DEBIAN.glob("*/bin"), reverse=True)]
    return next((it for it in folders if (it / "initdb").exists() and shutil.which("psql")), None)


class PostgresServer:
    """One server process and its database, both gone in the end."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self._whose: dict[str, Any] = _somebody_else() if os.geteuid() == 0 else {}

    def start(self) -> None:
        if self._whose:
            os.chown(self._folder, self._whose["user"], self._whose["group"])
        data = str(self._folder / "data")
        init = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(  # noqa: S603 - PostgreSQL's own
            [self._programs / init[0], *init[1:], "--locale=C"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._whose,
        )
        options = {"listen_addresses": "", "unix_socket_directories": self._folder, "fsync": "off"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(  # noqa: S603
            [self._programs / "postgres", "-D", data, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **self._whose,
        )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": sessions are cut off
            self._process.wait(20)
            self._process = None

    def run(self, sql: str) -> str:
        """Run statements in one session. Raises DatabaseError with PostgreSQL's words."""
        words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self._folder)]
        done = subprocess.run(  # noqa: S603
            [*words, "-U", "postgres", "-d", "postgres", "-f", "-"],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DatabaseError(done.stderr.strip())
        return done.stdout.strip()

    def rows(self, select: str, before: str = "") -> list[dict[str, Any]]:
        """Return what a SELECT gives, as Hasura would write it in JSON."""
        found = self.run(f"{before}\nselect coalesce(json_agg(it), '[]') from ({select}) as it;")
        rows: list[dict[str, Any]] = json.loads(found)
        return rows

    def _wait(self) -> None:
        for _ in range(_STARTS):
            try:
                self.run("select 1;")
            except DatabaseError as error:
                last = error
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"PostgreSQL does not start: {last}")


class DatabaseError(Exception):
    """PostgreSQL refused a statement."""


def quoted(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _somebody_else() -> dict[str, Any]:
    for name in _USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise AssertionError(f"PostgreSQL refuses to run as root, and there is none of {_USERS}")
