"""What can be set from outside: read once from `.env` and the environment, checked, then passed down.

The environment wins over `.env`; an empty value means the default. `.env.example` lists every name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from secrets import token_urlsafe
from types import MappingProxyType
from urllib.parse import urlsplit

from dotenv import dotenv_values

from engine.errors import ConfigError

ENV_FILE = Path(__file__).resolve().parents[1] / ".env"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LONGEST_LINGER_S = 3600.0
TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "4h", "12h", "1d")
SHORTEST_SECRET = 16

_PROCESS_SECRET = token_urlsafe(32)
_VENUE_SCHEMES = {"_WS_URL": ("ws", "wss"), "_REST_URL": ("http", "https")}
_VENUE_KEY = "_API_KEY"
_VENUE_FEE = "_TAKER_FEE_BPS"
_FEES_BPS = (-100.0, 1_000.0)
"""Some venues pay their takers."""
_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_VENUE_PREFIXES = ("MOCK_", "UNISWAP_", "CTRADER_", "FUTU_", "CCXT_")
SECRET_ENDINGS = ("_KEY", "_SECRET", "_TOKEN", "_CLIENT_ID", "_RPC_URL")
"""A node's address carries its key in the path."""
_TELLABLE = re.compile(
    r"CAPTURES_DIR|EXPORTS_DIR|HUB_LINGER_S|LOG_LEVEL|STORE_URL|BUS_URL|RECORD_\w+|MOCK_\w+|UNISWAP_POOLS|UNISWAP_PRICES"
    r"|CTRADER_HOST|FUTU_MARKETS|CCXT_VENUES"
)
"""Settings that anybody may read; of the others a stranger learns only that they are there."""
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything that can be set; never changes while the process lives.

    `venue_settings` goes to every connector: the variables that end in `_WS_URL`, `_REST_URL` or `_API_KEY` or begin
    with `MOCK_`, `UNISWAP_`, `CTRADER_`, `FUTU_` or `CCXT_`, by their full names. `taker_fees_bps` are the variables
    that end in `_TAKER_FEE_BPS`. `alert_rules_file` keeps the rules of alerts, `alert_urls` are the ways by which they
    leave the house (docs/operations.md). `linger_s` (0 … 3600) is how long an
    upstream stays after its last reader left. `allowed_hosts` are the names by which browsers may call us (`*`: any).
    `ticket_secret` signs the data socket's tickets; by default it is random and ends with the process. `record_…` says
    how recordings are made and kept, see `RecordOptions` in engine/store/recording/options.py.
    """

    venue_settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    taker_fees_bps: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    captures_dir: Path = Path("data/captures")
    exports_dir: Path = Path("data/exports")
    linger_s: float = 10.0
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    ticket_secret: str = _PROCESS_SECRET
    log_level: str = "INFO"
    store_url: str = "duckdb:///data/tape.duckdb"
    record_flush_s: float = 1.0
    record_depth_every_s: float = 5.0
    record_timeframes: tuple[str, ...] = ("1m",)
    record_keep_days: float = 0.0
    record_max_gb: float = 10.0
    bus_url: str = "memory://"
    alert_rules_file: Path = Path("data/alerts.json")
    alert_urls: str = ""

    def __repr__(self) -> str:
        venues = {
            name: "***" if name.endswith(SECRET_ENDINGS) else _masked(value)
            for name, value in self.venue_settings.items()
        }
        return (
            f"Settings(venue_settings={venues}, taker_fees_bps={dict(self.taker_fees_bps)}, "
            f"captures_dir={str(self.captures_dir)!r}, linger_s={self.linger_s}, "
            f"allowed_hosts={self.allowed_hosts}, ticket_secret='***', log_level={self.log_level!r}, "
            f"store_url={_masked(self.store_url)!r}, bus_url={_masked(self.bus_url)!r}, "
            f"record_flush_s={self.record_flush_s}, record_depth_every_s={self.record_depth_every_s}, "
            f"record_timeframes={self.record_timeframes}, record_keep_days={self.record_keep_days}, "
            f"record_max_gb={self.record_max_gb}, alert_rules_file={str(self.alert_rules_file)!r}, "
            f"alert_urls={'***' if self.alert_urls else ''!r})"
        )


def for_strangers(settings: Settings) -> dict[str, str]:
    """The settings by their variables, fit to leave this machine: no secret, account or path, no key in an address."""
    shown = {
        name: _tellable(getattr(settings, variable.field)) if _TELLABLE.fullmatch(name) else "***"
        for name, variable in VARIABLES.items()
    }
    for name, value in sorted(settings.venue_settings.items()):
        if name.endswith(tuple(_VENUE_SCHEMES)):
            shown[name] = _address_only(value)
        else:
            shown[name] = value if _TELLABLE.fullmatch(name) else "***"
    return shown


def _tellable(value: object) -> str:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return _address_only(value) if isinstance(value, str) and "://" in value else str(value)


def _address_only(url: str) -> str:
    """Scheme and host; what follows may hold a key, or name a person's folder."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the file `path` (by default `.env` beside the scripts, if there is one) and in `environ`.

    Raises:
        ConfigError: a value cannot be used (the message names the variable), or `path` was given and is no file.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"There is no settings file {path}.")
    stored = dotenv_values(path or ENV_FILE, interpolate=False, encoding="utf-8")
    merged = {**{name: value or "" for name, value in stored.items()}, **environ}
    given = {name: value.strip() for name, value in merged.items() if value.strip()}
    fields = {variable.field: variable.read(name, given[name]) for name, variable in VARIABLES.items() if name in given}
    return Settings(venue_settings=_venue_settings(given), taker_fees_bps=_taker_fees(given), **fields)  # type: ignore[arg-type]


def _taker_fees(given: Mapping[str, str]) -> Mapping[str, float]:
    least, most = _FEES_BPS
    return MappingProxyType(
        {name: _number(name, value, least, most, "bps") for name, value in given.items() if name.endswith(_VENUE_FEE)}
    )


def _venue_settings(given: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    for name, value in given.items():
        for ending, schemes in _VENUE_SCHEMES.items():
            if name.endswith(ending):
                found[name] = _with_host(name, _url(*schemes)(name, value))
        if name.endswith(_VENUE_KEY):
            found[name] = _key(name, value)
        if name.startswith(_VENUE_PREFIXES) and not name.endswith(_VENUE_FEE):
            found.setdefault(name, value)
    return MappingProxyType(found)


def _key(name: str, value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ConfigError(f"{name} is no key: it may hold letters, digits, dots, dashes and underscores only.")
    return value


def _masked(url: str) -> str:
    """The URL without the user and password, and without the query (where keys travel too)."""
    return re.sub(r"\?.*", "?***", _PASSWORD.sub("***@", url))


def _url(*schemes: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        try:
            scheme = urlsplit(value).scheme
        except ValueError:
            scheme = ""
        if scheme not in schemes or "://" not in value:
            wanted = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ConfigError(f"{name} must be a URL that begins with {wanted}, not {_masked(value)!r}.")
        return value

    return read


def _with_host(name: str, url: str) -> str:
    """An address that can be dialled: one host, a port from 1 to 65535 if any, and no spaces."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{name} must name a host, such as {url.partition('://')[0]}://host:8000, not {_masked(url)!r}."
        )
    return url


def _number(name: str, value: str, least: float, most: float, unit: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or not least <= number <= most:
        raise ConfigError(f"{name} must be a number of {unit} from {least:g} to {most:g}, not {value!r}.")
    return number


def _between(least: float, most: float, unit: str) -> Callable[[str, str], float]:
    return lambda name, value: _number(name, value, least, most, unit)


def _timeframes(name: str, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(one.strip() for one in value.split(",") if one.strip()))
    if value.strip().lower() == "none":
        return ()
    wrong = [one for one in names if one not in TIMEFRAMES]
    if wrong or not names:
        raise ConfigError(f"{name} must be none or list names among {', '.join(TIMEFRAMES)}, not {value!r}.")
    return names


def _file(name: str, value: str) -> Path:
    path = Path(value).expanduser()
    if path.is_dir():
        raise ConfigError(f"{name} must name a file, but {value!r} is a directory.")
    return path


def _alert_urls(name: str, value: str) -> str:
    """The list as it is; what reads it says what is wrong with it, without quoting it."""
    return value


def _hosts(name: str, value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in value.split(",") if host.strip())
    wrong = [host for host in hosts if not _HOST.fullmatch(host)]
    if wrong or not hosts:
        raise ConfigError(f"{name} must list host names without scheme and port, separated by commas, not {value!r}.")
    return hosts


def _secret(name: str, value: str) -> str:
    if len(value) < SHORTEST_SECRET:
        raise ConfigError(f"{name} must have at least {SHORTEST_SECRET} characters, it has {len(value)}.")
    return value


def _log_level(name: str, value: str) -> str:
    if value.upper() not in LOG_LEVELS:
        raise ConfigError(f"{name} must be one of {', '.join(LOG_LEVELS)}, not {value!r}.")
    return value.upper()


def _directory(name: str, value: str) -> Path:
    path = Path(value).expanduser()
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{name} must name a directory, but {value!r} is a file.")
    return path


@dataclass(frozen=True, slots=True)
class Variable:
    """How one environment variable becomes one field of Settings."""

    field: str
    read: Callable[[str, str], object]


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        "CAPTURES_DIR": Variable("captures_dir", _directory),
        "EXPORTS_DIR": Variable("exports_dir", _directory),
        "HUB_LINGER_S": Variable("linger_s", _between(0, LONGEST_LINGER_S, "seconds")),
        "ALLOWED_HOSTS": Variable("allowed_hosts", _hosts),
        "TICKET_SECRET": Variable("ticket_secret", _secret),
        "LOG_LEVEL": Variable("log_level", _log_level),
        "STORE_URL": Variable("store_url", _url("duckdb", "postgresql", "postgres", "parquet", "s3")),
        "RECORD_FLUSH_S": Variable("record_flush_s", _between(0.1, 60, "seconds")),
        "RECORD_DEPTH_EVERY_S": Variable("record_depth_every_s", _between(0, 3600, "seconds")),
        "RECORD_TIMEFRAMES": Variable("record_timeframes", _timeframes),
        "RECORD_KEEP_DAYS": Variable("record_keep_days", _between(0, 36_500, "days")),
        "RECORD_MAX_GB": Variable("record_max_gb", _between(0, 1_000_000, "gigabytes")),
        "BUS_URL": Variable("bus_url", _url("memory", "redis", "rediss")),
        "ALERT_RULES_FILE": Variable("alert_rules_file", _file),
        "ALERT_URLS": Variable("alert_urls", _alert_urls),
    }
)
