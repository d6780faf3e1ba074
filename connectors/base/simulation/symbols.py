"""What the simulated market lists: crypto and currency pairs with plausible steps, prices and depth."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from engine.market.instrument import Instrument


class SimulatedInstrument(Struct, frozen=True):
    """One invented instrument.

    `tick` and `lot` are decimals as text, `price` is where it starts. `spread` is typical and counts ticks; `depth` is
    the typical size of a level away from the touch in units of the base; `volatility` counts ticks per square root of a
    second. `beta` is how strongly (and in which direction) it follows its `group`. `name` is the unified name where a
    venue spells the symbol in its own way.
    """

    symbol: str
    tick: str
    lot: str
    price: str
    spread: int
    depth: float
    volatility: float
    group: str
    beta: float
    name: str = ""

    @property
    def unified(self) -> str:
        """`BASE/QUOTE`."""
        return self.name or self.symbol

    @property
    def price_decimals(self) -> int:
        """Digits after the point of a price."""
        return _decimals(self.tick)

    @property
    def size_decimals(self) -> int:
        """Digits after the point of a size."""
        return _decimals(self.lot)

    @property
    def start_ticks(self) -> int:
        """The start price in ticks."""
        return int(Decimal(self.price) / Decimal(self.tick))

    def public(self, venue: str) -> Instrument:
        """The instrument as a venue lists it."""
        base, quote = self.unified.split("/")
        return Instrument(venue, self.symbol, base, quote, float(self.tick), float(self.lot))


def _decimals(step: str) -> int:
    return len(step.partition(".")[2])


INSTRUMENTS: tuple[SimulatedInstrument, ...] = (
    SimulatedInstrument("BTC/USDT", "0.5", "0.0001", "64250.0", 2, 0.9, 3.0, "crypto", 0.93),
    SimulatedInstrument("ETH/USDT", "0.05", "0.001", "3180.00", 2, 9.0, 2.5, "crypto", 0.93),
    SimulatedInstrument("SOL/USDT", "0.01", "0.01", "151.20", 1, 260.0, 2.0, "crypto", 0.85),
    SimulatedInstrument("BNB/USDT", "0.05", "0.001", "584.50", 2, 14.0, 1.8, "crypto", 0.8),
    SimulatedInstrument("XRP/USDT", "0.0001", "0.1", "0.6145", 1, 42000.0, 1.6, "crypto", 0.8),
    SimulatedInstrument("DOGE/USDT", "0.00001", "1", "0.15320", 2, 190000.0, 2.4, "crypto", 0.85),
    SimulatedInstrument("ADA/USDT", "0.0001", "0.1", "0.4480", 1, 56000.0, 1.2, "crypto", 0.8),
    SimulatedInstrument("AVAX/USDT", "0.01", "0.01", "34.60", 1, 900.0, 1.2, "crypto", 0.8),
    SimulatedInstrument("LINK/USDT", "0.005", "0.01", "14.250", 1, 2100.0, 1.4, "crypto", 0.8),
    SimulatedInstrument("LTC/USDT", "0.01", "0.001", "82.40", 1, 310.0, 1.3, "crypto", 0.5),
    SimulatedInstrument("ETH/BTC", "0.00001", "0.0001", "0.04949", 1, 21.0, 1.0, "crypto", 0.2),
    SimulatedInstrument("EUR/USD", "0.00001", "1000", "1.08542", 4, 1200000.0, 2.0, "dollar", 0.88),
    SimulatedInstrument("GBP/USD", "0.00001", "1000", "1.27215", 6, 900000.0, 2.4, "dollar", 0.88),
    SimulatedInstrument("USD/JPY", "0.001", "1000", "156.420", 5, 1100000.0, 2.4, "dollar", -0.8),
    SimulatedInstrument("AUD/USD", "0.00001", "1000", "0.66310", 4, 800000.0, 1.6, "dollar", 0.75),
    SimulatedInstrument("USD/CHF", "0.00001", "1000", "0.90480", 5, 700000.0, 1.7, "dollar", -0.8),
    SimulatedInstrument("USD/CAD", "0.00001", "1000", "1.36640", 6, 700000.0, 1.7, "dollar", -0.5),
    SimulatedInstrument("EUR/GBP", "0.00001", "1000", "0.85320", 5, 600000.0, 1.3, "dollar", 0.1),
    SimulatedInstrument("EUR/JPY", "0.001", "1000", "169.780", 7, 600000.0, 2.6, "dollar", 0.1),
    SimulatedInstrument("XAU/USD", "0.01", "1", "2338.40", 15, 240.0, 8.0, "dollar", 0.4),
)
"""Twenty, so that a page can watch as many symbols as it allows."""
