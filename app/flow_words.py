"""What the figures of order flow are called, and what each means in one sentence with its formula."""

from __future__ import annotations

from msgspec import Struct


class Figure(Struct, frozen=True):
    """A figure as a panel shows it. `unit` is empty for a plain number; `about` is told on hover."""

    name: str
    label: str
    unit: str
    about: str


FIGURES = (
    Figure("spread_bps", "Spread", "bps", "Best ask minus best bid over the mid: 10,000 · (ask − bid) / mid."),
    Figure("spread_ticks", "Spread", "ticks", "Best ask minus best bid in price steps: (ask − bid) / tick."),
    Figure(
        "spread_z", "Spread z", "",
        "The spread against its own last five minutes, weighted by time: (spread − median) / (1.4826 · MAD).",
    ),
    Figure("spread_pctile", "Percentile", "%", "Share of the last 5 minutes with a spread not above this."),
    Figure("mid", "Mid", "price", "Half way between best bid and best ask: (bid + ask) / 2."),
    Figure(
        "microprice", "Microprice", "price",
        "The mid, moved by what followed the same imbalance before; the size-weighted mid until that is known.",
    ),
    Figure("imbalance_1", "Best prices", "", "Size at the best prices: (bid − ask) / (bid + ask)."),
    Figure("imbalance_5", "5 levels", "", "Size of the best 5 levels: (bids − asks) / (bids + asks)."),
    Figure("imbalance_10", "10 levels", "", "Size of the best 10 levels: (bids − asks) / (bids + asks)."),
    Figure(
        "imbalance_band_10", "Within 10 bps", "",
        "Size within 10 bps of the mid: (bids − asks) / (bids + asks).",
    ),
    Figure("depth_bid_10", "Bid depth, 10", "size", "Sum of the sizes of the best 10 bid levels."),
    Figure("depth_ask_10", "Ask depth, 10", "size", "Sum of the sizes of the best 10 ask levels."),
    Figure(
        "buy_cost_bps_100k", "Buying 100k", "bps",
        "What a taker of 100,000 in quote units pays above the mid, walking the asks: 10,000 · (average − mid) / mid.",
    ),
    Figure(
        "sell_cost_bps_100k", "Selling 100k", "bps",
        "What a taker of 100,000 in quote units gets below the mid, walking the bids: 10,000 · (mid − average) / mid.",
    ),
    Figure(
        "trade_imbalance_10s", "Imbalance, 10 s", "",
        "Taker volume of 10 s: (bought − sold) / (bought + sold).",
    ),
    Figure(
        "trade_imbalance_60s", "Imbalance, 60 s", "",
        "Taker volume of 60 s: (bought − sold) / (bought + sold).",
    ),
    Figure("buy_volume_60s", "Bought, 60 s", "size", "Volume of takers who bought in the last 60 s."),
    Figure("sell_volume_60s", "Sold, 60 s", "size", "Volume of takers who sold in the last 60 s."),
    Figure("delta_60s", "Delta, 60 s", "size", "Bought minus sold volume of the last 60 s."),
    Figure("cvd", "CVD", "size", "Cumulative volume delta: bought − sold since the anchor (00:00 UTC or the start)."),
    Figure(
        "ofi_norm_5s", "OFI, 5 s", "",
        "Order-flow imbalance: what came to and left the best prices in 5 s, bids minus asks, over the mean size there "
        "(Cont et al. 2014). It explains the move of its own 5 s and does not predict the next.",
    ),
    Figure(
        "ofi_z", "OFI z", "",
        "Order-flow imbalance of 5 s against its own last two minutes: (OFI − median) / (1.4826 · MAD).",
    ),
    Figure(
        "absorption_progress", "Price response", "×",
        "How far the signed volume of 10 s moved the mid, of what it usually does: move / (λ · volume). "
        "Absorption is 0.1 × or less while that volume is among the largest tenth.",
    ),
    Figure("pull_rate_bid", "Bids pulled", "×", "Bid size gone without a trade in a second, over the median second."),
    Figure("pull_rate_ask", "Asks pulled", "×", "Ask size gone without a trade in a second, over the median second."),
    Figure(
        "vacuum_bid_severity", "Bid side thin", "%",
        "How far the bids within 10 bps are below their usual size: 1 − size / usual.",
    ),
    Figure(
        "vacuum_ask_severity", "Ask side thin", "%",
        "How far the asks within 10 bps are below their usual size: 1 − size / usual.",
    ),
    Figure(
        "vpin", "VPIN", "",
        "Mean |bought − sold| over the volume of the last 50 equal volume buckets; its level depends on the bucket.",
    ),
    Figure("kyle_lambda", "Kyle's λ", "", "Slope of the mid's move on signed volume: price per unit bought."),
    Figure(
        "effective_spread_bps", "Effective", "bps",
        "Effective spread, what takers paid: 2 · side · (price − mid just before) / mid, weighted by volume.",
    ),
    Figure(
        "realised_spread_bps_5s", "Realised, 5 s", "bps",
        "Realised spread, what makers kept: 2 · side · (price − mid 5 s later) / mid, weighted by volume.",
    ),
    Figure("volatility_ratio", "Volatility ratio", "×", "Volatility of 10 s over that of 120 s."),
    Figure("efficiency_ratio", "Efficiency", "", "Net move of 60 s over the sum of its moves second by second, 0 … 1."),
    Figure("adx", "ADX", "", "Wilder's directional movement index of 14 bars of 5 s; it has no direction itself."),
    Figure("trade_rate_ratio", "Trade rate", "×", "Trades of 10 s over the median of that in five minutes."),
    Figure("large_order_size", "Large from", "size", "The size from which an order is among the largest 1 % of 2,000."),
)  # fmt: skip

NAMES = tuple(figure.name for figure in FIGURES)
