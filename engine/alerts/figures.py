"""The figures that a condition may name: all of order flow, and some of the feed's own quality."""

from __future__ import annotations

from functools import cache

from engine.feed.feed import Feed
from engine.flow.analyzer import FlowAnalyzer
from engine.market.book import Book

FEED_FIGURES = {
    "feed_age_s": "seconds since the last update",
    "feed_rate_per_s": "updates per second over ten seconds",
    "feed_latency_p50_ms": "half of the frames were faster from the venue to us",
    "feed_latency_p95_ms": "95 % of the frames were faster from the venue to us",
    "feed_reconnects": "reconnects since the feed began",
    "feed_gaps": "gaps since the feed began",
}
"""Figures of the feed itself, with what they are."""


@cache
def flow_figures() -> frozenset[str]:
    """The names of all figures of order flow, asked of an analyzer that has seen a market once."""
    analyzer = FlowAnalyzer("", "", 1.0, bucket=1.0)
    book = Book()
    book.replace(((99.0, 1.0),), ((101.0, 1.0),))
    observer = analyzer.observer
    observer.on_bbo(1, 99.0, 1.0, 101.0, 1.0)
    observer.on_book(1, book, None)
    observer.on_trade(1, 101.0, 1.0, 1, 1, 1)
    return frozenset(analyzer.metrics().readings)


@cache
def known_figures() -> frozenset[str]:
    """Every name that a condition may use."""
    return flow_figures() | frozenset(FEED_FIGURES)


def feed_figure(name: str, feed: Feed, now_ns: int) -> float | None:
    """The value of one of `FEED_FIGURES`; None while it is not known."""
    quality = feed.quality
    if name == "feed_age_s":
        return quality.age_s(now_ns)
    if name == "feed_rate_per_s":
        return quality.rate_per_s(now_ns)
    if name == "feed_reconnects":
        return float(quality.reconnects)
    if name == "feed_gaps":
        return float(quality.gaps)
    latency = quality.transit.percentiles()
    return latency.p50_ms if name == "feed_latency_p50_ms" else latency.p95_ms
