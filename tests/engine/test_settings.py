from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.settings import VARIABLES, Settings, for_strangers, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"


def settings(environ: dict[str, str], tmp_path: Path, text: str = "") -> Settings:
    file = tmp_path / "settings.env"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ)


def test_the_example_file_says_what_the_defaults_are() -> None:
    assert load_settings(EXAMPLE, {}) == Settings()


def test_the_example_file_lists_every_variable_and_no_other() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert [line.partition("=")[0] for line in lines if line and not line.startswith("#")] == list(VARIABLES)


def test_every_field_has_a_variable() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert {variable.field for variable in VARIABLES.values()} | {"venue_settings", "taker_fees_bps"} == fields


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    loaded = settings({"HUB_LINGER_S": "3"}, tmp_path, "HUB_LINGER_S=4\nLOG_LEVEL=debug\n")
    assert (loaded.linger_s, loaded.log_level) == (3.0, "DEBUG")


def test_an_empty_value_means_the_default(tmp_path: Path) -> None:
    assert settings({"STORE_URL": " "}, tmp_path, "LOG_LEVEL=\nBUS_URL\n") == Settings()


def test_venues_get_their_addresses_and_the_mock_its_switches(tmp_path: Path) -> None:
    environ = {
        "BINANCE_WS_URL": "ws://127.0.0.1:9000/ws",
        "BINANCE_REST_URL": "http://127.0.0.1:9000",
        "MOCK_SEED": "7",
        "MOCK_WS_URL": "ws://127.0.0.1:9001",
        "UNISWAP_RPC_URL": "https://node.example/v3/key",
        "CTRADER_CLIENT_ID": "7",
        "FUTU_PORT": "11111",
        "CCXT_VENUES": "bybit,okx",
        "CCXT_OKX_WS_URL": "ws://127.0.0.1:9002",
        "HOME": "/root",
    }
    assert dict(settings(environ, tmp_path).venue_settings) == {k: v for k, v in environ.items() if k != "HOME"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_LINGER_S", "soon"),
        ("HUB_LINGER_S", "-1"),
        ("HUB_LINGER_S", "nan"),
        ("HUB_LINGER_S", "3601"),
        ("ALLOWED_HOSTS", "http://example.org"),
        ("ALLOWED_HOSTS", "example.org:8501"),
        ("ALLOWED_HOSTS", ","),
        ("TICKET_SECRET", "short"),
        ("LOG_LEVEL", "loud"),
        ("STORE_URL", "mysql://host/base"),
        ("STORE_URL", "data/tape.duckdb"),
        ("BUS_URL", "memory"),
        ("BINANCE_WS_URL", "https://api.binance.com"),
        ("BINANCE_REST_URL", "wss://stream.binance.com"),
        ("BINANCE_REST_URL", "http://[broken"),
        ("BINANCE_REST_URL", "http://"),
        ("BINANCE_REST_URL", "http://host:99999"),
        ("BINANCE_WS_URL", "wss:///ws"),
        ("KRAKEN_WS_URL", "wss://a host/ws"),
        ("KRAKEN_TAKER_FEE_BPS", "0.4 %"),
        ("KRAKEN_TAKER_FEE_BPS", "1001"),
        ("ALERT_RULES_FILE", "."),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=name):
        settings({name: value}, tmp_path)


def test_takers_fees_go_by_their_full_names_and_to_no_connector(tmp_path: Path) -> None:
    loaded = settings({"BINANCE_TAKER_FEE_BPS": "7.5", "CCXT_BYBIT_TAKER_FEE_BPS": "-1"}, tmp_path)
    assert dict(loaded.taker_fees_bps) == {"BINANCE_TAKER_FEE_BPS": 7.5, "CCXT_BYBIT_TAKER_FEE_BPS": -1.0}
    assert dict(loaded.venue_settings) == {}


def test_a_file_is_not_a_directory_for_captures(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="CAPTURES_DIR"):
        settings({"CAPTURES_DIR": str(tmp_path / "file")}, tmp_path)


def test_a_settings_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.env"):
        load_settings(tmp_path / "absent.env", {})


def test_several_hosts_are_separated_by_commas(tmp_path: Path) -> None:
    assert settings({"ALLOWED_HOSTS": "a.example, *.b.example,*"}, tmp_path).allowed_hosts == (
        "a.example",
        "*.b.example",
        "*",
    )


def test_no_secret_is_shown(tmp_path: Path) -> None:
    loaded = settings(
        {
            "TICKET_SECRET": "hush-hush-hush-hush",
            "STORE_URL": "postgresql://me:hush@db.example/tape?password=hush",
            "BUS_URL": "redis://:hush@cache.example:6379/0",
            "FINNHUB_WS_URL": "wss://ws.example?token=hush",
            "UNISWAP_RPC_URL": "https://node.example/v3/hush",
            "CTRADER_CLIENT_SECRET": "hush",
            "CTRADER_ACCESS_TOKEN": "hush",
            "CTRADER_REFRESH_TOKEN": "hush",
            "ALERT_URLS": "phone=tgram://hush:hush/77",
        },
        tmp_path,
    )
    assert "hush" not in f"{loaded!r} {loaded}"
    assert "db.example" in repr(loaded)


def test_an_error_shows_no_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings({"STORE_URL": "mysql://me:hush@db.example/tape"}, tmp_path)
    assert "hush" not in str(caught.value)


def test_without_a_secret_the_process_has_a_random_one() -> None:
    assert len(Settings().ticket_secret) >= 32
    assert Settings().ticket_secret == Settings().ticket_secret


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().linger_s = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Settings().venue_settings["X_WS_URL"] = "ws://x"  # type: ignore[index]


def test_what_leaves_the_machine_holds_no_secret_no_account_and_no_path(tmp_path: Path) -> None:
    loaded = settings(
        {
            "STORE_URL": "postgresql://me:hush@db.example:5432/tape?password=hush",
            "CAPTURES_DIR": "/home/hush/captures",
            "TICKET_SECRET": "hush-hush-hush-hush",
            "ALERT_URLS": "json://hush:hush@alerts.example/hush",
            "ALLOWED_HOSTS": "hush.example",
            "FINNHUB_WS_URL": "wss://ws.example/hush?token=hush",
            "FINNHUB_API_KEY": "hush",
            "UNISWAP_RPC_URL": "https://node.example/v3/hush",
            "CTRADER_ACCOUNT_ID": "hush",
            "CCXT_BYBIT_PASSWORD": "hush",
            "FUTU_RSA_KEY_FILE": "/home/hush/key",
            "MOCK_SEED": "7",
        },
        tmp_path,
    )
    shown = for_strangers(loaded)
    assert "hush" not in str(shown)
    assert shown["STORE_URL"] == "postgresql://db.example:5432"
    assert shown["FINNHUB_WS_URL"] == "wss://ws.example"
    assert shown["FINNHUB_API_KEY"] == "***"
    assert (shown["MOCK_SEED"], shown["CAPTURES_DIR"]) == ("7", "captures")
