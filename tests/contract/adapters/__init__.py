"""One module per connector; every `Adapter` in them takes part (see tests/contract/adapter.py)."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.contract.adapter import Adapter


def found() -> dict[str, type[Adapter]]:
    """The adapters by the name of their connector."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    adapters = {kind.name: kind for kind in kinds if issubclass(kind, Adapter) and kind is not Adapter}
    return dict(sorted(adapters.items()))
