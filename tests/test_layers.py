"""The rules of the house, read from the imports; the contracts in pyproject.toml say the same to import-linter."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "connectors", "strategies", "engine")

# What each package may import of ours besides itself.
MAY_IMPORT = {
    "app": {"connectors", "strategies", "engine"},
    "connectors": {"engine"},
    "strategies": {"engine"},
    "engine": set[str](),
}

# The engine from the ground up: a module imports its own room and what lies on lower floors.
# Rooms on one floor do not know each other.
FLOORS = (
    ("engine.errors", "engine.clock"),
    ("engine.redaction",),
    ("engine.settings",),
    ("engine.market",),
    ("engine.feed.checksum",),
    ("engine.feed.sync", "engine.feed.quality", "engine.flow"),
    ("engine.feed.settlement", "engine.feed.picture", "engine.feed.compare", "engine.feed.trade_numbers"),
    ("engine.feed.feed",),
    ("engine.feed.feed_copy",),
    ("engine.feed.mailbox",),
    ("engine.connector",),
    ("engine.feed.hub",),
    ("engine.analysis",),
    ("engine.trading", "engine.strategy", "engine.alerts", "engine.bus", "engine.store"),
    ("engine.plugins",),
    ("engine.engine", "engine.smoke"),
    ("engine.process", "engine.commands"),
    ("engine.__main__",),
)

# What connectors build on, likewise from the ground up: first what every author meets, then the transport, then what
# single families of venues need.
BASE_FLOORS = (
    tuple(f"connectors.base.{name}" for name in ("backoff", "market_hours", "refusal", "stamps", "venue")),
    ("connectors.base.runtime",),
    ("connectors.base.books",),
    ("connectors.base.transport",),
    tuple(
        f"connectors.base.{name}"
        for name in ("binance", "ctrader", "futu", "kraken", "unified", "uniswap", "simulation", "playback")
    ),
)

# The few doors of each foreign library: module prefixes that may import it.
DOORS = {
    "websocket": ("connectors.base.transport.link",),
    "urllib3": ("connectors.base.transport.rest",),
    "ccxt": ("connectors.ccxt_any", "engine.trading.live"),
    "futu": ("connectors.base.futu.door",),
    "apprise": ("engine.alerts.apprise_door",),
    "duckdb": ("engine.store.duckdb_store",),
    "psycopg": ("engine.store.postgres_door",),
    "redis": ("engine.bus.redis_bus",),
    "dotenv": ("engine.settings",),
    **dict.fromkeys(
        ("streamlit", "plotly", "pandas", "fastapi", "starlette", "uvicorn", "itsdangerous"),
        ("app",),
    ),
}


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every imported name, in full: `from a import b` gives `a` and `a.b`; a relative import gives `.`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "."
            elif node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def modules() -> dict[str, tuple[str, ...]]:
    """Our modules by dotted name, with what they import."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = tuple(imports(ast.parse(path.read_text(encoding="utf-8"), str(path))))
    return found


Floors = tuple[tuple[str, ...], ...]


def floor_of(module: str, floors: Floors) -> int | None:
    return next((n for n, names in enumerate(floors) if any(within(module, name) for name in names)), None)


def room_of(module: str, floors: Floors) -> str | None:
    return next((name for names in floors for name in names if within(module, name)), None)


def edges() -> list[tuple[str, str]]:
    """Who imports what."""
    return [(module, target) for module, targets in modules().items() for target in targets]


def test_there_is_something_to_check() -> None:
    assert "engine.market.book" in modules()
    assert ("engine.feed.feed", "engine.market.book") in edges()


def test_arrows_point_down_between_the_packages() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, target in edges()
        if (top := target.partition(".")[0]) in PACKAGES
        and top != (own := module.partition(".")[0])
        and top not in MAY_IMPORT[own]
    ]
    assert not wrong


@pytest.mark.parametrize("floors", [FLOORS, BASE_FLOORS], ids=["engine", "connectors.base"])
def test_arrows_point_down_inside(floors: Floors) -> None:
    wrong = []
    for module, target in edges():
        own, other = floor_of(module, floors), floor_of(target, floors)
        same_room = room_of(module, floors) == room_of(target, floors)
        if own is not None and other is not None and not same_room and other >= own:
            wrong.append(f"{module} imports {target}")
    assert not wrong


@pytest.mark.parametrize(
    ("package", "floors", "holders"),
    [("engine", FLOORS, {"engine", "engine.feed"}), ("connectors.base", BASE_FLOORS, {"connectors.base"})],
)
def test_every_module_has_its_floor(package: str, floors: Floors, holders: set[str]) -> None:
    # Holders stand on no floor: they are empty, or the shop window of what is below.
    homeless = [name for name in modules() if within(name, package) and floor_of(name, floors) is None]
    assert set(homeless) <= holders


def test_nothing_in_the_base_goes_through_its_shop_window() -> None:
    # `connectors.base` itself imports the highest floors: whoever asks it from below goes round in a circle.
    wrong = [module for module, target in edges() if within(module, "connectors.base") and target == "connectors.base"]
    assert not wrong


@pytest.mark.parametrize("package", ["connectors", "strategies"])
def test_a_plugin_imports_no_other_plugin(package: str) -> None:
    def plugin(module: str) -> str:
        return ".".join(module.split(".")[:2])

    plugins = {plugin(module) for module in modules() if module.startswith(package + ".")} - {f"{package}.base"}
    wrong = [
        f"{module} imports {target}"
        for module, target in edges()
        if within(module, package) and plugin(target) in plugins and plugin(target) != plugin(module)
    ]
    assert not wrong


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_enters_by_its_doors_only(library: str) -> None:
    wrong = [
        module
        for module, target in edges()
        if within(target, library) and not any(within(module, door) for door in DOORS[library])
    ]
    assert not wrong


def test_only_the_wiring_names_concrete_plugins() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, target in edges()
        if within(module, "app")
        and module != "app.wiring"
        and target.partition(".")[0] in ("connectors", "strategies")
        and not any(within(target, base) for base in ("connectors.base", "strategies.base"))
    ]
    assert not wrong


def test_imports_are_never_relative() -> None:
    assert not [module for module, target in edges() if target == "."]


def test_inside_the_app_imports_carry_the_prefix() -> None:
    own = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"}
    wrong = [
        f"{module} imports {target} without the prefix app."
        for module, target in edges()
        if within(module, "app") and target.partition(".")[0] in own
    ]
    assert not wrong


def test_nothing_directly_in_the_app_shadows_the_standard_library() -> None:
    # `streamlit run` puts app/ first on the path: app/queue.py would answer every `import queue` of the process.
    names = {path.stem for path in (ROOT / "app").iterdir()} - {"__init__", "__pycache__"}
    assert not names & set(sys.stdlib_module_names)


def test_nobody_imports_the_entry_points() -> None:
    assert not [module for module, target in edges() if target in ("app.asgi", "app.main")]
