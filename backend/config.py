"""The settings: read from the environment once, at start, and refused with everything that is wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from rewards.notes import COSIGNATURE, NoteKey, read_key
from rules.replay import Refused

REPOSITORY = Path(__file__).parents[1]
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(Exception):
    """The settings cannot be used; `problems` says of each one what is wrong and what to do, in English and Chinese."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join(["the settings cannot be used / 配置无法使用:", *(f"  - {line}" for line in problems)])
        )


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    redis_url: str
    port: int
    home: Path  # embedded data, secrets, files we make
    public_url: str  # without a slash at the end
    secret: str  # keys all HMACs: person keys, digests, handles
    signing_keys: str  # JSON list of private JWKs: the first one signs, all are published
    proof_keys: str  # JSON list of private Ed25519 JWKs: the first signs certificates, all sign the heads of the log
    log_witnesses: dict[NoteKey, str]  # whose cosignatures on its heads are taken -> where they are asked for, or ""
    identity_url: str  # code2session provider; empty: nobody can log in
    identity_appid: str
    identity_secret: str
    bank_account: str  # where buyers pay to, in words
    payment_url: str  # a payment provider; empty: bank transfers only
    payment_merchant: str
    payment_secrets: tuple[str, ...]  # shared with it: the first signs, all verify
    webhook_private: bool  # may webhooks be at http and private addresses?
    batch_max: int
    body_max_bytes: int
    cors_origins: tuple[str, ...]
    log_level: str
    demonstration: bool  # do the shipped demonstration approvals count?
    standard_folders: tuple[Path, ...]  # of packs, factors and approvals that come on top of the shipped standard


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of `environ`; what it leaves out comes from the `tanpuhui up` running in its TANPUHUI_HOME, if any.

    Raises SettingsError with every problem at once.
    """
    home = home_of(environ)
    ask = _Questions({**_running(home), **{name: value.strip() for name, value in environ.items() if value.strip()}})
    port = ask.integer("PORT", 8000, 1, 65535)
    settings = Settings(
        database_url=ask.url("DATABASE_URL", ("postgresql", "postgres"), start_up=True),
        redis_url=ask.url("REDIS_URL", ("redis", "rediss", "unix"), start_up=True),
        port=port,
        home=home,
        public_url=ask.url("TANPUHUI_PUBLIC_URL", ("http", "https"), f"http://127.0.0.1:{port}").rstrip("/"),
        secret=ask.text("TANPUHUI_SECRET", _secret_problem),
        signing_keys=ask.text("TANPUHUI_SIGNING_KEYS", _signing_keys_problem),
        proof_keys=ask.proof_keys("TANPUHUI_PROOF_KEYS", "TANPUHUI_SIGNING_KEYS"),
        log_witnesses=ask.witnesses("TANPUHUI_LOG_WITNESSES"),
        identity_url=ask.url("TANPUHUI_IDENTITY_URL", ("http", "https"), ""),
        identity_appid=ask.values.get("TANPUHUI_IDENTITY_APPID", ""),
        identity_secret=ask.values.get("TANPUHUI_IDENTITY_SECRET", ""),
        bank_account=ask.values.get("TANPUHUI_BANK_ACCOUNT", ""),
        payment_url=ask.url("TANPUHUI_PAYMENT_URL", ("https", "http"), ""),
        payment_merchant=ask.values.get("TANPUHUI_PAYMENT_MERCHANT", ""),
        payment_secrets=ask.secrets("TANPUHUI_PAYMENT_SECRETS"),
        webhook_private=ask.choice("TANPUHUI_WEBHOOK_PRIVATE", "0", ("0", "1")) == "1",
        batch_max=ask.integer("TANPUHUI_BATCH_MAX", 1000, 1, 10_000),
        body_max_bytes=ask.integer("TANPUHUI_BODY_MAX_BYTES", 4 * 1024 * 1024, 1024, 64 * 1024 * 1024),
        cors_origins=ask.origins("TANPUHUI_CORS_ORIGINS"),
        log_level=ask.choice("TANPUHUI_LOG_LEVEL", "INFO", LOG_LEVELS),
        demonstration=ask.choice("TANPUHUI_DEMONSTRATION", "1", ("0", "1")) == "1",
        standard_folders=ask.folders("TANPUHUI_STANDARD"),
    )
    if settings.identity_url and not (settings.identity_appid and settings.identity_secret):
        ask.refuse(
            "TANPUHUI_IDENTITY_URL needs TANPUHUI_IDENTITY_APPID and TANPUHUI_IDENTITY_SECRET: set them, or unset it",
            "设置了 TANPUHUI_IDENTITY_URL 就须同时设置 TANPUHUI_IDENTITY_APPID 与 TANPUHUI_IDENTITY_SECRET",
        )
    if settings.payment_url and not (settings.payment_merchant and settings.payment_secrets):
        ask.refuse(
            "TANPUHUI_PAYMENT_URL needs TANPUHUI_PAYMENT_MERCHANT and TANPUHUI_PAYMENT_SECRETS: set them, or unset it",
            "设置了 TANPUHUI_PAYMENT_URL 就须同时设置 TANPUHUI_PAYMENT_MERCHANT 与 TANPUHUI_PAYMENT_SECRETS",
        )
    if ask.problems:
        raise SettingsError(ask.problems)
    return settings


def home_of(environ: Mapping[str, str]) -> Path:
    """The folder for data and secrets: TANPUHUI_HOME, else `.tanpuhui` in the checkout."""
    return Path(environ.get("TANPUHUI_HOME", "").strip() or REPOSITORY / ".tanpuhui").expanduser().absolute()


def standard_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of TANPUHUI_STANDARD, divided by the system's path separator; whether they exist is not asked."""
    named = environ.get("TANPUHUI_STANDARD", "").split(os.pathsep)
    return tuple(Path(name.strip()).expanduser().absolute() for name in named if name.strip())


def _running(home: Path) -> dict[str, str]:
    """The environment that a living `tanpuhui up` gave its processes; nothing when none lives there."""
    try:
        note: dict[str, Any] = json.loads((home / "up.json").read_text())
        os.kill(int(note["pid"]), 0)
        return {str(name): str(value) for name, value in note["environment"].items()}
    except (OSError, ValueError, KeyError):
        return {}


class _Questions:
    """Asks for one setting after another and collects what is wrong instead of stopping at the first."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []

    def refuse(self, english: str, chinese: str) -> None:
        self.problems.append(f"{english} / {chinese}")

    def text(self, name: str, problem_of: Callable[[str], str]) -> str:
        value = self.values.get(name, "")
        problem = problem_of(value) if value else "is not set"
        if problem:
            self.refuse(
                f"{name} {problem}: `tanpuhui up` makes one and keeps it in secrets.json of its TANPUHUI_HOME",
                f"{name} 缺失或不可用；`tanpuhui up` 会自动生成并保存在 TANPUHUI_HOME 的 secrets.json",
            )
        return value

    def proof_keys(self, name: str, otherwise: str) -> str:
        """Ed25519 keys only; where the setting is left out, those of another setting."""
        text = self.values.get(name) or self.values.get(otherwise, "")
        if problem := _signing_keys_problem(text):
            if name in self.values:
                self.refuse(f"{name} {problem}", f"{name} 不可用")
            return "[]"
        keys = json.loads(text)
        found = [key for key in keys if key["crv"] == "Ed25519"]
        if not found or (name in self.values and found != keys):
            self.refuse(
                f"{name} needs Ed25519 keys, and {otherwise} has none in its place: `tanpuhui keys new` makes one",
                f"{name} 须为 Ed25519 私钥：可用 `tanpuhui keys new` 生成",
            )
        # Named by its thumbprint alone: that can be told of a former key, which the log knows by its bytes.
        return json.dumps([{part: key[part] for part in ("kty", "crv", "x", "d")} for key in found])

    def witnesses(self, name: str) -> dict[NoteKey, str]:
        """Keys of witnesses (C2SP, type 0x04), divided by commas, each with an address behind it or without."""
        found = {}
        for text in filter(None, (one.strip() for one in self.values.get(name, "").split(","))):
            written, _, url = text.partition(" ")
            try:
                key = read_key(written)
            except Refused as refused:
                self.refuse(f"{name}: {refused}", f"{name} 有误")
                continue
            if key.kind != COSIGNATURE:
                self.refuse(
                    f"{name} has {written!r}, which is no witness's key", f"{name} 中的 {written!r} 不是见证者公钥"
                )
            if url and not _is_safe(url.strip()):
                self.refuse(
                    f"{name} has {url.strip()!r}: a witness is asked at https, or on this machine",
                    f"{name} 中的 {url.strip()!r} 应为 https 地址或本机地址",
                )
            found[key] = url.strip().rstrip("/")
        return found

    def url(self, name: str, schemes: tuple[str, ...], default: str = "", *, start_up: bool = False) -> str:
        value = self.values.get(name, default)
        example = f"{schemes[0]}://..."
        if start_up and not value:
            self.refuse(
                f"{name} is not set: set it to {example}, or start the embedded services with `tanpuhui up`",
                f"未设置 {name}：请设为 {example}，或用 `tanpuhui up` 启动内嵌服务",
            )
        elif value and not _is_url(value, schemes):
            self.refuse(
                f"{name} is no address of the form {example}", f"{name} 格式不对，应形如 {example}"
            )  # it may hold a password: not shown
        return value

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        text = self.values.get(name, str(default))
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        self.refuse(
            f"{name} is {text!r}: set it to a whole number from {least} to {most}",
            f"{name} 应为 {least} 至 {most} 的整数",
        )
        return default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(name, default).upper()
        if value not in choices:
            self.refuse(
                f"{name} is {value!r}: set it to one of {', '.join(choices)}", f"{name} 只能取 {'、'.join(choices)}"
            )
        return value

    def folders(self, name: str) -> tuple[Path, ...]:
        found = standard_folders({name: self.values.get(name, "")})
        for folder in found:
            if not folder.is_dir():
                self.refuse(f"{name} names {folder}, which is no folder", f"{name} 中的 {folder} 不是文件夹")
        return found

    def secrets(self, name: str) -> tuple[str, ...]:
        """Shared secrets, divided by commas. Never quoted."""
        found = tuple(one.strip() for one in self.values.get(name, "").split(",") if one.strip())
        if any(_secret_problem(one) for one in found):
            self.refuse(f"{name} has one shorter than 32 characters", f"{name} 中有不足 32 个字符的密钥")
        return found

    def origins(self, name: str) -> tuple[str, ...]:
        found = tuple(origin.strip() for origin in self.values.get(name, "").split(",") if origin.strip())
        for origin in found:
            if not _is_url(origin, ("http", "https")) or urlsplit(origin).path:
                self.refuse(
                    f"{name} has {origin!r}: write origins such as https://example.org, divided by commas",
                    f"{name} 中的 {origin!r} 不是来源：应写 https://example.org，以逗号分隔",
                )
        return found


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.netloc or parts.path.strip("/")) and parts.port != 0
    except ValueError:
        return False


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can listen or answer: https, or this machine."""
    local = ("localhost", "127.0.0.1", "::1")
    return _is_url(url, ("https", "http")) and (urlsplit(url).scheme == "https" or urlsplit(url).hostname in local)


def _secret_problem(secret: str) -> str:
    return "" if len(secret) >= 32 else f"has {len(secret)} characters and needs at least 32"


def _signing_keys_problem(text: str) -> str:
    """Empty when `text` is a JSON list of private Ed25519 or P-256 JWKs. Never quotes the keys."""
    try:
        keys = json.loads(text)
    except ValueError:
        return "is not JSON"
    if not isinstance(keys, list) or not keys:
        return "is not a JSON list with at least one key"
    for number, key in enumerate(keys, 1):
        if not isinstance(key, dict) or (key.get("kty"), key.get("crv")) not in (("OKP", "Ed25519"), ("EC", "P-256")):
            return f"has as key {number} neither an Ed25519 nor a P-256 JWK"
        if not key.get("d"):
            return f"has as key {number} a public key where a private one is needed"
        try:
            jwt.PyJWK(key, algorithm="EdDSA" if key["kty"] == "OKP" else "ES256")
        except jwt.PyJWTError:
            return f"has a key {number} that is damaged"
    return ""
