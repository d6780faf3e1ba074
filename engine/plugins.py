"""Finds what people drop into `connectors/` and `strategies/`: one file, one plugin, and each breaks only itself."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from msgspec import Struct

from engine.connector import Connector
from engine.errors import ConfigError, EngineError, PluginError
from engine.market.instrument import nearest_symbols
from engine.store.captures.verify import FrameReader

NO_PLUGINS = frozenset({"base", "replay"})

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
            classes = _classes(importlib.import_module(f"{package}.{module.name}"), method)
        except (Exception, SystemExit) as error:  # the border: whatever a stranger's file raises
            log.exception("%s cannot be imported", file)
            errors.append(PluginError(f"{file}: {type(error).__name__}: {error}", hint="Mend the file and restart."))
            continue
        errors.extend(_take(found, classes, file, method))
    return Plugins(found, errors)


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
    for plugin in plugins.found.values():
        for name, make in variants(plugin, settings).items():
            try:
                made[name] = make(settings)
            except EngineError as error:
                errors.append(PluginError(f"connectors/{name}: {error}", hint=error.hint))
    return made, errors


def make_connector(name: str, settings: Mapping[str, str]) -> Connector:
    """The one connector of that name. A plugin with a class method `variant(name)` may know more than it lists.

    Raises:
        ConfigError: there is none; the hint names those that there are.
        EngineError: it cannot be made with these settings.
    """
    plugins = discover("connectors", "start_stream")
    known: dict[str, Callable[[Mapping[str, str]], Any]] = {}
    for plugin in plugins.found.values():
        known |= variants(plugin, settings)
        more = getattr(plugin, "variant", None)
        if name not in known and more is not None and (make := more(name)) is not None:
            known[name] = make
    if name in known:
        connector: Connector = known[name](settings)
        return connector
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
        own = getattr(plugin, "frame_readers", None)
        readers |= own() if own is not None else {name: plugin()}
    return readers


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
        return [PluginError(f"{file}: no class with a `name` and a `{method}`", hint="See docs/.")]
    errors = []
    for name, cls in classes:
        if name in found:
            errors.append(PluginError(f"{file}: the name {name!r} is taken by {found[name].__module__}"))
        else:
            found[name] = cls
    return errors
