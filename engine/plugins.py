"""Finds what people drop into `connectors/` and `strategies/`: one file, one plugin, and each breaks only itself."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any, TypeVar

from msgspec import Struct

from engine.connector import Capabilities, Connector
from engine.errors import ConfigError, EngineError, PluginError
from engine.market.instrument import nearest_symbols
from engine.store.captures.verify import FrameReader
from engine.strategy.params import build

NO_PLUGINS = frozenset({"base", "replay"})
PLUGIN_FOLDERS = frozenset({"connectors", "strategies"})
CONNECTOR_METHODS = ("start_stream", "start_polling", "latest_snapshot", "fetch_snapshot", "instruments", "close")
STRATEGY_METHODS = ("on_book", "on_trade", "on_status", "readings")

Made = TypeVar("Made")

log = logging.getLogger(__name__)


class Plugins(Struct):
    """The plugin classes of one folder by their `name`, and what could not be used and why."""

    found: dict[str, type]
    errors: list[PluginError]


def discover(package: str, method: str) -> Plugins:
    """The classes in the files of `package` that have a `name` and a method called `method`.

    Files whose name begins with an underscore, sub-packages, `base.py` and `replay.py` (which is made for a recording
    that somebody opens) are not plugins. A file that cannot be imported, has no such class, or takes a name that is
    already taken, is reported and left out.
    """
    found: dict[str, type] = {}
    errors: list[PluginError] = []
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__):
        if module.ispkg or module.name.startswith("_") or module.name in NO_PLUGINS:
            continue
        file = f"{package}/{module.name}.py"
        try:
            classes = guarded(file, partial(_import, f"{package}.{module.name}", method))
        except EngineError as error:
            errors.append(_of(file, error))
            log.warning("%s", errors[-1])
            continue
        errors.extend(_take(found, classes, file, method))
    return Plugins(found, errors)


def guarded(what: str, make: Callable[[], Made]) -> Made:
    """What `make` gives, which is a stranger's code: importing it, or making something of it.

    Raises:
        EngineError: it raised one on purpose.
        PluginError: it raised something else; the message begins with `what` and says where in the stranger's file.
    """
    try:
        return make()
    except EngineError:
        raise
    except (Exception, SystemExit) as error:  # the border: whatever a stranger's file raises
        words = f"{what}: {type(error).__name__}: {error}{_place(error)}"
        log.debug("%s", words, exc_info=True)
        raise PluginError(words, hint="Mend the file and restart.") from error


def _import(module: str, method: str) -> list[tuple[str, type]]:
    return _classes(importlib.import_module(module), method)


def _place(error: BaseException) -> str:
    """` (broken.py, line 7)`: the last place of a plugin's file that an error came through."""
    if isinstance(error, SyntaxError):
        return ""  # its own words say where
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    inside = [(file.name, line) for file, line in lines if file.parent.name in PLUGIN_FOLDERS]
    return f" ({inside[-1][0]}, line {inside[-1][1]})" if inside else ""


def variants(plugin: Any, settings: Mapping[str, str]) -> Mapping[str, Callable[[Mapping[str, str]], Any]]:
    """What a plugin class offers, as makers by name: itself, or what its class method `variants(settings)` names.

    A plugin with `variants` stands for any number of things of its kind, or for none.
    """
    own = getattr(plugin, "variants", None)
    return own(settings) if own is not None else {plugin.name: plugin}


def make_connectors(settings: Mapping[str, str]) -> tuple[dict[str, Connector], list[PluginError]]:
    """Every connector that is there and can be made with these settings, by name; and what could not, and why."""
    plugins = discover("connectors", "start_stream")
    made: dict[str, Connector] = {}
    errors = list(plugins.errors)
    for name, plugin in plugins.found.items():
        said: set[str] = set()
        try:
            offers = guarded(f"connectors/{name}", partial(variants, plugin, settings))
        except EngineError as error:
            errors.append(_of(f"connectors/{name}", error))
            continue
        for variant, make in offers.items():
            try:
                made[variant] = _connector(variant, make, settings)
            except EngineError as error:
                # What is wrong with all variants alike (a setting, a line of the file) is told once.
                words = str(error).removeprefix(f"connectors/{variant}: ")
                errors += [] if words in said else [_of(f"connectors/{variant}", error)]
                said.add(words)
    _log(errors[len(plugins.errors) :])
    return made, errors


def _of(what: str, error: EngineError) -> PluginError:
    """An error as the fault of the plugin `what`."""
    return error if isinstance(error, PluginError) else PluginError(f"{what}: {error}", hint=error.hint)


def make_strategies() -> tuple[dict[str, type], list[PluginError]]:
    """Every strategy that can be used, by name, and what could not be and why.

    Each is made once, with its defaults: what cannot be made must be told here, not where somebody chooses it.
    """
    plugins = discover("strategies", "on_book")
    usable: dict[str, type] = {}
    errors = list(plugins.errors)
    for name, plugin in plugins.found.items():
        file = f"{plugin.__module__.replace('.', '/')}.py"
        try:
            made = guarded(file, partial(build, plugin, {}))
            _whole(file, made, STRATEGY_METHODS, "Inherit Strategy of strategies/base.py: see docs/add_a_strategy.md.")
            usable[name] = plugin
        except EngineError as error:
            errors.append(_of(file, error))
    _log(errors[len(plugins.errors) :])
    return usable, errors


def _log(errors: Sequence[PluginError]) -> None:
    for error in errors:
        log.warning("%s. %s", error, error.hint)


def _connector(name: str, make: Callable[[Mapping[str, str]], Any], settings: Mapping[str, str]) -> Connector:
    """One connector, whole.

    Raises:
        EngineError: it cannot be made with these settings.
        PluginError: it cannot be made at all, or is not what the hub needs.
    """
    what = f"connectors/{name}"
    made: Connector = guarded(what, partial(make, settings))
    hint = "Inherit Venue of connectors/base/venue.py: see docs/add_a_connector.md."
    _whole(what, made, CONNECTOR_METHODS, hint)
    if not isinstance(getattr(made, "capabilities", None), Capabilities):
        raise PluginError(f"{what}: its `capabilities` are missing", hint=hint)
    return made


def _whole(what: str, made: object, methods: Sequence[str], hint: str) -> None:
    """Complain of the methods that are missing."""
    missing = [f"`{name}`" for name in methods if not callable(getattr(made, name, None))]
    if missing:
        raise PluginError(f"{what}: lacks {', '.join(missing)}", hint=hint)


def make_connector(name: str, settings: Mapping[str, str]) -> Connector:
    """The one connector of that name. A plugin with a class method `variant(name)` may know more than it lists.

    Raises:
        ConfigError: there is none; the hint names those that there are.
        EngineError: it cannot be made with these settings.
    """
    plugins = discover("connectors", "start_stream")
    known: dict[str, Callable[[Mapping[str, str]], Any]] = {}
    for family, plugin in plugins.found.items():
        known |= guarded(f"connectors/{family}", partial(variants, plugin, settings))
        more = getattr(plugin, "variant", None)
        if name not in known and more is not None and (make := more(name)) is not None:
            known[name] = make
    if name in known:
        return _connector(name, known[name], settings)
    broken = [error for error in plugins.errors if f"/{name}." in str(error)]
    if broken:
        raise broken[0]
    near = nearest_symbols(name, known, limit=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(f"there is no connector named {name!r}", hint=f"{hint}There are: {', '.join(sorted(known))}.")


def frame_readers() -> dict[str, FrameReader]:
    """What reads raw frames, by name: the connectors that have `decode`, or what their `frame_readers()` names."""
    readers: dict[str, FrameReader] = {}
    for name, plugin in sorted(discover("connectors", "decode").found.items()):
        try:
            readers |= guarded(f"connectors/{name}", getattr(plugin, "frame_readers", partial(_itself, plugin)))
        except EngineError as error:
            log.warning("connectors/%s reads no captures: %s", name, error)
    return readers


def _itself(plugin: type) -> dict[str, FrameReader]:
    reader: FrameReader = plugin()
    return {reader.name: reader}


def _classes(module: ModuleType, method: str) -> list[tuple[str, type]]:
    return [
        (str(getattr(value, "name", "")), value)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__
        and isinstance(getattr(value, "name", None), str)
        and getattr(value, "name", None) != ""
        and callable(getattr(value, method, None))
        and not inspect.isabstract(value)
    ]


def _take(found: dict[str, type], classes: Sequence[tuple[str, type]], file: str, method: str) -> list[PluginError]:
    if not classes:
        return [
            PluginError(
                f"{file}: no class with a `name` and a `{method}`",
                hint="See docs/add_a_connector.md and docs/add_a_strategy.md.",
            )
        ]
    errors = []
    for name, cls in classes:
        if name in found:
            errors.append(PluginError(f"{file}: the name {name!r} is taken by {found[name].__module__}"))
        else:
            found[name] = cls
    return errors
