"""What the figures were measured on; nothing that names the machine."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from tests.bench import cores

LIBRARIES = ("aiohttp", "uvloop", "joserfc", "cryptography", "multidict", "yarl")


def facts(load: str) -> dict[str, str]:
    """Return what to know beside the figures. `load`: the name of what brought it."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {processor()}",
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "openssl": " ".join(str(backend.openssl_version_text()).split()[:2]),
        "load": load,
        "cores": cores_used(),
    }


def cores_used() -> str:
    if cores.SHARED:
        return "server and load share one core: of the figures only CPU times mean much"
    return "the server on one core, the load on another"


def processor() -> str:
    """Return the processor's name without its model's number, or the architecture."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
