"""Files that hold several recordings at once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from engine.flow_export.export import export
from engine.plugins import frame_readers
from tests.shared import SHARED, capture

DEMO = "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
SMALL = "binance_spot_20210404_btc_eth_dot.jsonl.gz"
PREFIXES = {"BTCUSDT": "spot_btc_20240808", "ETHUSDT": "spot_eth_20240808"}
LOOSE = ("hmm", "bocpd", "adx")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def close(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return bool(expected == found)
    return isinstance(found, int | float) and math.isclose(expected, found, rel_tol=tolerance, abs_tol=1e-9)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow")
    export(capture(DEMO), frame_readers()["binance"], PREFIXES, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("regime", 330), ("correlation", 44), ("signals", 590)])
def test_the_studies_of_the_demo_capture_equal_the_reference(exported: Path, name: str, least: int) -> None:
    golden = SHARED / "golden" / f"{name}.json"
    if not golden.is_file():
        pytest.skip("the reference results are not here")
    found = dict(leaves(json.loads((exported / f"{name}.json").read_text(encoding="utf-8"))))
    compared = 0
    for path, expected in leaves(json.loads(golden.read_text(encoding="utf-8"))):
        if path in found:
            tolerance = 1e-6 if any(word in path for word in LOOSE) else 1e-9
            assert close(expected, found[path], tolerance), (path, expected, found[path])
            compared += 1
    assert compared >= least


def test_a_second_export_is_correlated_with_the_first_under_both_names(tmp_path: Path) -> None:
    reader = frame_readers()["binance"]
    export(capture(SMALL), reader, {"BTCUSDT": "one"}, tmp_path)
    export(capture(SMALL), reader, {"ETHUSDT": "other"}, tmp_path)
    pairs = json.loads((tmp_path / "correlation.json").read_text(encoding="utf-8"))["pairs"]
    assert set(pairs) == {"one | other", "other | one"}
    there, back = pairs["one | other"], pairs["other | one"]
    assert there["previous_tick"]["1"]["rho"] == pytest.approx(back["previous_tick"]["1"]["rho"])
    assert there["hy_lead_lag_ms"]["100"] == pytest.approx(back["hy_lead_lag_ms"]["-100"])
    assert there["ticks"] == back["ticks"][::-1]
    for name, inner in (("regime", None), ("signals", "captures")):
        content = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert set(content[inner] if inner else content) == {"one", "other"}
        assert "NaN" not in (tmp_path / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["no json", "[1, 2]"])
def test_a_foreign_file_of_the_same_name_is_not_overwritten(tmp_path: Path, content: str) -> None:
    target = tmp_path / "regime.json"
    target.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=r"regime\.json"):
        export(capture(SMALL), frame_readers()["binance"], {"BTCUSDT": "one"}, tmp_path)
    assert target.read_text(encoding="utf-8") == content
