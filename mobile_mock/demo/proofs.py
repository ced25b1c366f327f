"""Nobody has to believe the platform: what it hands out is checked by its stand-alone script, away from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mobile_mock.demo.caller import Caller
from mobile_mock.demo.host import Failed, Place


def fetch_verifier(place: Place) -> None:
    """The script, and the public keys, as somebody keeps them who will not trust the platform later."""
    for path, name in (("/v1/log/verify.py", "verify.py"), ("/v1/log/keys", "keys.json")):
        (place.out / name).write_bytes(Caller(place.base_url).fetch(path))


def verify(place: Place, kind: str, file: Path, *packs: str) -> list[str]:
    """Run the script on a file, with nothing but Python; what it says holds. packs: hashes. Raises Failed."""
    options = ["--key", "keys.json"]
    for sha256 in packs:
        (place.out / f"{sha256}.json").write_bytes(Caller(place.base_url).fetch(f"/v1/standard/packs/{sha256}"))
        options += ["--pack", f"{sha256}.json"]
    command = [sys.executable, "-I", "-S", "verify.py", kind, file.name, *options]
    done = subprocess.run(command, cwd=place.out, env={}, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise Failed(f"{file} does not prove itself: {done.stderr}")
    return done.stdout.splitlines()
