"""Check offline what the platform handed out. 离线核验平台出具的文件。

    python3 verify.py receipt     FILE --key KEYFILE --pack pack.json
    python3 verify.py membership  FILE --key KEYFILE
    python3 verify.py certificate FILE --key KEYFILE
    python3 verify.py checkpoint  FILE --key KEYFILE [--after OLDER [--consistency PROOF]]

It needs Python 3.11 or newer, the files, and the platform's public key: no network, nothing else installed, and no
platform that still exists. Exit code 0: it holds, and the lines say what was proven. 1: refused, with the reason.
2: a file or an option cannot be used. 只需 Python 3.11 及以上、这些文件和平台公钥；不需网络，也不需平台仍在。
退出码 0：成立，并逐行说明证明了什么；1：不成立，并给出理由；2：文件或选项有误。
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Mapping, Sequence

from rewards.offline import Trust, printable, read_trust, verify_checkpoint
from rewards.offline_certificates import verify_certificate
from rewards.offline_deeds import verify_membership, verify_receipt
from rules.replay import FILE_MAX_BYTES, MALFORMED, Refused

KINDS = ("receipt", "membership", "certificate", "checkpoint")
OPTIONS = {  # each names a file, and may be given more than once where it says so
    "key": "public keys of the platform: GET /v1/log/keys or /.well-known/jwks.json, or one a line; may be repeated / "
    "平台公钥文件，可多次给出",
    "pack": "pack.json of a receipt: GET /v1/standard/packs/{sha256}; may be repeated / 收据的 pack.json，可多次给出",
    "witness": "public keys of witnesses, one a line; one of each file must have cosigned; may be repeated / "
    "见证者公钥文件，每个文件中至少一个须已副署，可多次给出",
    "after": "a checkpoint that you know: refused is another root at its size, and a smaller checkpoint as FILE (in a "
    "receipt or certificate it may be older) / 已知的检查点：大小相同而根不同则拒绝；FILE 为检查点时更小的也拒绝",
    "consistency": "GET /v1/log/proofs/consistency?from=&to= between that one and the one at hand / "
    "上述检查点与文件中检查点之间的一致性证明",
}
UNLOGGED = "let pass what is not in the log yet; the lines say so / 允许尚未入日志的文件，结果中会说明"


def verify_file(kind: str, raw: bytes, files: Mapping[str, Sequence[bytes]], *, unlogged: bool = False) -> list[str]:
    """What a file of a kind proves, line by line. Raises Refused, whatever is wrong with it.

    files: option -> contents of the files given with it.
    """
    verify: dict[str, Callable[[bytes, Trust], list[str]]] = {
        "receipt": lambda raw, trust: verify_receipt(raw, files.get("pack", ()), trust),
        "membership": verify_membership,
        "certificate": verify_certificate,
        "checkpoint": verify_checkpoint,
    }
    after, growth = ([*files.get(name, ()), None][0] for name in ("after", "consistency"))
    try:
        trust = read_trust(files.get("key", ()), files.get("witness", ()), after, growth, unlogged)
        return [*map(printable, verify[kind](raw, trust)), f"OK / 成立: {kind}"]
    except Refused:
        raise
    except MALFORMED as error:
        what = f"{type(error).__name__}: {str(error)[:100]}"
        raise Refused(f"a file is not of the form it should have ({what})", "文件的结构有误") from None


def read_file(name: str) -> bytes:
    """As much of a file as may be read."""
    with open(name, "rb") as opened:
        return opened.read(FILE_MAX_BYTES + 1)


def main(arguments: Sequence[str]) -> int:
    """Exit code; what was proven on standard output, the reason of a refusal on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console may lack some signs
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="verify.py", description=__doc__, formatter_class=plain)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=" | ".join(KINDS))
    parser.add_argument("file", metavar="FILE", help="as the platform handed it out / 平台出具的文件")
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name}", action="append", default=[], metavar="FILE", help=text)
    parser.add_argument("--unlogged", action="store_true", help=UNLOGGED)
    given = parser.parse_args(arguments)
    try:
        raw = read_file(given.file)
        files = {name: [read_file(file) for file in getattr(given, name)] for name in OPTIONS}
    except OSError as error:
        parser.error(str(error))
    try:
        print("\n".join(verify_file(given.kind, raw, files, unlogged=given.unlogged)))
    except Refused as refused:
        print(f"REFUSED / 不成立: {printable(str(refused))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
