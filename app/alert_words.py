"""How alerts and their rules are worded on the pages."""

from __future__ import annotations

import io
import math
import wave
from array import array

from app.words import plain
from engine.alerts.alert import Alert
from engine.alerts.rule import ALL_CHANNELS, LEAST_MEANS, Kind, Rule

ICONS = {
    Kind.STALE: "⚠️", Kind.GAP: "🕳️", Kind.FALLBACK: "🔁", Kind.RECOVERED: "✅", Kind.FAILED: "❌",
    Kind.LARGE_ORDER: "🐋", Kind.ABSORPTION: "🧽", Kind.EXHAUSTION: "🥱", Kind.VACUUM: "🫧", Kind.REGIME: "🔀",
    Kind.CONDITION: "🔔",
}  # fmt: skip
SOURCE_MARKS = {"mock": "simulated", "replay": "recording", "synthetic": "synthetic", "poll": "polled"}
EVERY_FEED = "every open feed"
BEEP_S, BEEP_HZ, SAMPLES_PER_S = 0.35, 880.0, 8_000


def kind_words(kind: Kind) -> str:
    return kind.value.replace("_", " ")


def toast_of(alert: Alert) -> str:
    """One alert as the Markdown of a toast; words of others show as they are."""
    mark = SOURCE_MARKS.get(alert.source)
    where = f"{alert.key[1]} at {alert.key[0]}" + (f" ({mark})" if mark else "")
    return f"{ICONS[alert.kind]} **{plain(alert.name)}** · {plain(where)}: {plain(alert.text)}"


def what_of(rule: Rule) -> str:
    """What a rule listens to, in one line."""
    if rule.kind is Kind.CONDITION:
        return rule.condition
    least = LEAST_MEANS.get(rule.kind)
    return kind_words(rule.kind) + (f", {rule.least:,g} {least} or more" if least and rule.least else "")


def feed_of(rule: Rule) -> str:
    return EVERY_FEED if rule.feed is None else f"{rule.feed[1]} at {rule.feed[0]}"


def channels_of(rule: Rule) -> str:
    return "all" if ALL_CHANNELS in rule.channels else ", ".join(rule.channels) or "–"


def beep(number: int) -> bytes:
    """A short tone as a WAV file. `number` makes it another file, or the browser would not play it again."""
    count = round(BEEP_S * SAMPLES_PER_S)
    tone = [
        round(9_000 * math.sin(math.pi * at / count) * math.sin(2 * math.pi * BEEP_HZ * at / SAMPLES_PER_S))
        for at in range(count)
    ]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, SAMPLES_PER_S, 0, "NONE", ""))
        sound.writeframes(array("h", [*tone, *([0] * (number % 500))]).tobytes())
    return file.getvalue()
