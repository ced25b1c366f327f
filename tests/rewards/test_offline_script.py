"""The stand-alone verifier is one file of the standard library, and `tanpuhui verify` does the same as it."""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend import cli
from backend.usecases import build_verifier
from rules.replay import Refused
from tests.rewards.offline_files import dumps, honest, put, witness

KINDS = ("receipt", "membership", "certificate", "checkpoint")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script, the files and the key, and nothing else of the platform."""
    case = honest()
    (tmp_path / "verify.py").write_text(build_verifier.build_verifier(), "utf-8")
    (tmp_path / "key").write_text(str(case.log.key))
    (tmp_path / "pack.json").write_bytes(case.pack)
    for kind in KINDS:
        document = case.of(kind)
        (tmp_path / kind).write_bytes(document.encode() if kind == "checkpoint" else dumps(document))
    return tmp_path


def script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-W", "error", "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, encoding="utf-8", check=False)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["verify", *map(str, arguments)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_and_the_command_tell_the_same(folder: Path, kind: str) -> None:
    done = script(folder, kind, kind, "--key", "key", "--pack", "pack.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == honest().verify(kind)
    told = command(kind, folder / kind, "--key", folder / "key")  # the packs of this standard
    assert (told.exit_code, told.output) == (0, done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_ends_with_one_and_a_reason_in_both_languages(folder: Path, kind: str) -> None:
    (folder / kind).write_bytes((folder / kind).read_bytes()[:-3])
    done = script(folder, kind, kind, "--key", "key", "--pack", "pack.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("REFUSED / 不成立: ")
    assert "Traceback" not in done.stderr
    told = command(kind, folder / kind, "--key", folder / "key")
    assert told.exit_code == 1
    assert done.stderr.strip() in told.output


def test_what_cannot_be_used_ends_with_two(folder: Path) -> None:
    assert script(folder, "receipt").returncode == 2
    assert script(folder, "poem", "receipt").returncode == 2
    assert script(folder, "receipt", "receipt", "--kee", "key").returncode == 2
    assert script(folder, "receipt", "nothing", "--key", "key").returncode == 2
    assert script(folder, "receipt", "receipt", "--key", ".").returncode == 2
    assert command("receipt", folder / "nothing").exit_code == 2


def test_help_is_in_both_languages(folder: Path) -> None:
    told = script(folder, "-h")
    assert told.returncode == 0
    for words in ("--unlogged", "no network", "离线核验", "平台公钥文件"):
        assert words in told.stdout


def test_the_options_mean_the_same_to_both(folder: Path) -> None:
    case = honest()
    old = case.log.head(20)
    (folder / "old").write_text(old, "utf-8")
    (folder / "growth").write_bytes(case.log.growth(20, 27))
    (folder / "witness").write_text(str(witness("w.example", 9)[0]))
    (folder / "early").write_bytes(dumps(case.certificate | {"log": None}))
    for arguments, code, words in (
        (("checkpoint", "checkpoint", "--after", "old", "--consistency", "growth"), 0, "nothing in it was changed"),
        (("checkpoint", "old", "--after", "checkpoint"), 1, "an older checkpoint replayed"),
        (("checkpoint", "checkpoint", "--witness", "witness"), 1, "no witness of w.example"),
        (("certificate", "early"), 1, "--unlogged"),
        (("certificate", "early", "--unlogged"), 0, "NOT IN THE LOG yet"),
        (("receipt", "receipt", "--pack", "key"), 1, "no pack.json given has the hash"),
    ):
        done = script(folder, *arguments, "--key", "key")
        assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done
        placed = [folder / one if (folder / one).exists() and n else one for n, one in enumerate(arguments)]
        told = command(*placed, "--key", folder / "key")
        assert (told.exit_code, words in told.output) == (code, True), told.output


def test_what_a_file_says_cannot_move_the_cursor_of_a_terminal(folder: Path) -> None:
    body = put("certificate", "company", "name", "\x1b[2J\x1b[HOK\r\n")(honest().certificate)
    body["signature"] = honest().log.sign(body["certificate"])
    (folder / "certificate").write_bytes(dumps(body | {"log": None, "amendments": []}))
    done = script(folder, "certificate", "certificate", "--key", "key", "--unlogged")
    assert (done.returncode, "\x1b" in done.stdout, "\ufffd[2J\ufffd[HOK" in done.stdout) == (0, False, True)
    body["certificate"]["kind"] = "\x1b[2J"
    body["certificate"]["serials"] = ["\x1b[2J"]
    (folder / "certificate").write_bytes(dumps(body))
    done = script(folder, "certificate", "certificate", "--key", "key")
    assert (done.returncode, "\x1b" in done.stderr) == (1, False)


def test_the_script_needs_the_standard_library_alone_and_stays_the_same() -> None:
    text = build_verifier.build_verifier()
    build_verifier.build_verifier.cache_clear()
    assert text == build_verifier.build_verifier()
    tree = ast.parse(text)
    imported = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
    assert not imported & {"socket", "urllib", "http", "ssl", "subprocess", "os"}
    assert "verify.py certificate FILE" in str(ast.get_docstring(tree))
    told = CliRunner().invoke(cli.main, ["verify", "script"])
    assert (told.exit_code, told.output) == (0, text)


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        ({"rules.a": "X = 1\n", "rewards.b": "def X(): ...\n"}, "X is defined in rules.a and in rewards.b"),
        ({"rules.a": "X = 1\n", "rewards.b": "X: int = 2\n"}, "X is defined in"),
        ({"rules.a": "A, X = 1, 2\n", "rewards.b": "class X: ...\n"}, "X is defined in"),
        ({"rules.a": "X = 1\n", "rewards.b": "from rules.a import Y\n"}, "imports Y of rules.a"),
        ({"rules.a": "X = 1\n", "rewards.b": "from rules.a import X as Y\n"}, "imports X of rules.a"),
        ({"rules.a": "X = 1\n", "rewards.b": "from rules import a\n"}, "imports a of rules"),
        ({"rewards.b": "from rules.a import X\n", "rules.a": "X = 1\n"}, "imports X of rules.a"),
    ],
)
def test_modules_that_cannot_be_joined_are_told(sources: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build_verifier.join(sources)


def test_modules_are_joined_with_their_comments_and_one_main() -> None:
    first = (
        '#!/usr/bin/env python3\n"""First."""\nfrom __future__ import annotations\nimport json\n'
        'from re import (\n  a,\n  b)\n\n# why\nX = json.loads("1")  # so\n\n\n'
        'def main():\n    return 1\n\n\nif __name__ == "__main__":\n    main()\n'
    )
    second = '"""Second."""\nfrom re import c\n\nfrom rules.a import X\n\n\ndef main():\n    return X\n'
    text = build_verifier.join({"rules.a": first, "rewards.b": second})
    assert text.startswith('#!/usr/bin/env python3\n"""Second.\n"""\n\nfrom __future__ import annotations\n')
    assert text.count("#!") == text.count("def main") == text.count("__future__") == 1
    assert "import json\nfrom re import a, b, c\n" in text
    assert '# rules.a\n#\n# First.\n\n# why\nX = json.loads("1")  # so\n' in text
    assert "__name__" not in text
    assert "rules.a import" not in text


def everywhere(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every part of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [one for key, part in inner for one in everywhere(part, (*path, key))]


STRANGE: tuple[Any, ...] = (None, True, 0, -1, 10**30, "", "\ud800", [], {}, [[]], [None], {"": 0})


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("kind", KINDS[:3])
def test_whatever_stands_at_any_place_the_answer_is_a_reason_and_never_a_traceback(kind: str, turn: int) -> None:
    case, taken = honest(), []
    for number, path in enumerate(everywhere(case.of(kind))):
        holder = document = copy.deepcopy(case.of(kind))
        for key in path[:-1]:
            holder = holder[key]
        strange = STRANGE[(number + 5 * turn) % len(STRANGE)]
        if json.dumps(holder[path[-1]]) != json.dumps(strange):
            holder[path[-1]] = strange
            with contextlib.suppress(Refused):
                case.verify(kind, json.dumps(document).encode())
                taken.append(path)
    nobody_can_check = {("batch",), ("batch", "certificates"), ("amendments",), ("certificate", "amendments")}
    assert [path for path in taken if path[:2] not in nobody_can_check] == []


@pytest.mark.parametrize("nothing", [None, "", {}, 0])
def test_amendments_are_a_list_or_the_file_is_refused(nothing: Any) -> None:
    case = honest()
    with pytest.raises(Refused):
        case.verify("certificate", case.certificate | {"amendments": nothing})
