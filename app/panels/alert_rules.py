"""The rules of alerts: a table of all, and a form for one of them or a new one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st
from msgspec.structs import replace

from app.alert_words import EVERY_FEED, channels_of, feed_of, kind_words, what_of
from app.flow_words import FIGURES
from app.session import LiveSession
from app.wiring import engine
from app.words import number, plain, sentences
from engine.alerts.condition import EXAMPLE, parse
from engine.alerts.desk import AlertDesk
from engine.alerts.figures import FEED_FIGURES
from engine.alerts.rule import (
    ABOUT_THE_FEED,
    ALL_CHANNELS,
    EXPLAINED,
    LEAST_MEANS,
    LONGEST_COOLDOWN_S,
    LONGEST_NAME,
    Kind,
    Rule,
)
from engine.errors import ConfigError

NEW = "new rule"
ANOTHER = "another feed"
Feeds = Mapping[str, tuple[str, str] | None]
HEADS = ("Rule", "Listens to", "On", "Cooldown", "Toast", "Sent by", "State")


@st.fragment
def show(session: LiveSession) -> None:
    """Draw table and form; what is changed here reruns this panel only."""
    desk = engine().alerts
    if desk.book.error is not None:
        st.error(plain(sentences(str(desk.book.error), desk.book.error.hint)))
    for problem in desk.book.problems:
        st.warning(plain(problem))
    rules = {rule.id: rule for rule in desk.book.rules()}
    st.html(_table(list(rules.values()), desk))
    _said()
    chosen = st.selectbox(
        "Change", [NEW, *rules], key="rule-chosen", format_func=lambda one: rules[one].name if one in rules else NEW
    )
    _form(rules.get(str(chosen)), session, desk)


def _form(rule: Rule | None, session: LiveSession, desk: AlertDesk) -> None:
    """The fields of a rule; those of a new one are empty again after each saving."""
    place = rule.id if rule is not None else f"new-{st.session_state.get('rules-made', 0)}"
    old = rule or Rule("", "", Kind.CONDITION)
    feeds = _feeds(old, session)
    left, right = st.columns(2)
    with left:
        kind = _what(old, place, feeds, desk)
    with right:
        _how(old, kind, place, desk)
    save, remove = st.columns(2)
    save.button(
        "Save rule", key="rule-save", type="primary", width="stretch", on_click=_save, args=(desk, old, place, feeds)
    )
    if rule is not None:
        remove.button("Remove rule", key="rule-remove", width="stretch", on_click=_remove, args=(desk, rule))


def _what(old: Rule, place: str, feeds: Feeds, desk: AlertDesk) -> Kind:
    """The fields that say what to listen to, and where."""
    kinds = list(Kind)
    chosen = st.selectbox(
        "Listens to", kinds, kinds.index(old.kind), key=f"rule-kind-{place}", format_func=kind_words, required=True
    )
    kind = Kind(str(chosen))
    st.caption(EXPLAINED[kind])
    if kind is Kind.CONDITION:
        _condition(old, place, desk)
    if _feed(old, place, feeds):
        st.caption("This feed runs for as long as the rule is on, also when no page is open.")
    elif kind not in ABOUT_THE_FEED:
        st.caption("Looks where the Order Flow page is open. Name a feed to have it looked at always.")
    return kind


def _how(rule: Rule, kind: Kind, place: str, desk: AlertDesk) -> None:
    """The fields of its name, and how loudly it is to be told."""
    st.text_input("Name", rule.name, max_chars=80, key=f"rule-name-{place}")
    if kind in LEAST_MEANS:
        st.number_input(
            f"At least ({LEAST_MEANS[kind]})", 0.0, None, rule.least, format="%g", key=f"rule-least-{place}"
        )
    st.number_input(
        "Cooldown in seconds", 0.0, LONGEST_COOLDOWN_S, rule.cooldown_s, 1.0, "%g", key=f"rule-cooldown-{place}",
        help="So long nothing more is told of the same thing on the same feed.",
    )  # fmt: skip
    # A channel that is not set up at the moment stays in its rules.
    ways = list(dict.fromkeys([ALL_CHANNELS, *desk.notifier.channels, *rule.channels]))
    st.multiselect(
        "Sent by", ways, list(rule.channels), key=f"rule-channels-{place}",
        placeholder="not sent, shown on the pages only",
        format_func=lambda one: "all channels" if one == ALL_CHANNELS else str(one),
    )  # fmt: skip
    on, toast = st.columns(2)
    on.toggle("On", rule.enabled, key=f"rule-on-{place}")
    toast.toggle("Toast", rule.toast, key=f"rule-toast-{place}")


def _chosen(old: Rule, place: str, feeds: Feeds) -> Rule:
    """The rule as the fields stand at this moment; the form was drawn before the last of them was filled in."""

    def field(name: str, otherwise: Any) -> Any:
        return st.session_state.get(f"rule-{name}-{place}", otherwise)

    kind = Kind(str(field("kind", old.kind)))
    condition = str(field("condition", old.condition) or "").strip() if kind is Kind.CONDITION else ""
    chosen = str(field("feed", EVERY_FEED))
    another = str(field("venue", "")), str(field("symbol", "") or "").strip()
    name = str(field("name", old.name) or "").strip()
    return replace(
        old, id=old.id or secrets.token_hex(4), kind=kind, condition=condition,
        feed=another if chosen == ANOTHER else feeds.get(chosen),
        name=name or condition[:LONGEST_NAME] or kind_words(kind),
        least=float(field("least", old.least) or 0.0) if kind in LEAST_MEANS else 0.0,
        cooldown_s=float(field("cooldown", old.cooldown_s) or 0.0), channels=tuple(field("channels", old.channels)),
        enabled=bool(field("on", old.enabled)), toast=bool(field("toast", old.toast)),
    )  # fmt: skip


def _condition(rule: Rule, place: str, desk: AlertDesk) -> None:
    """The condition's field, with what is wrong with it or what it holds now."""
    text = st.text_input(
        "Condition", rule.condition, max_chars=300, key=f"rule-condition-{place}",
        placeholder=EXAMPLE,
        help="figure > number, several with `and`; `for 3 s` asks that it holds so long; `until figure < number` says "
        "when it is over. `abs(figure)` is its size without the sign.",
    )  # fmt: skip
    if text:
        try:
            st.caption(f"✓ {plain(parse(text, desk.book.figures).text)}")
        except ConfigError as error:
            st.error(plain(sentences(str(error), error.hint)))
    with st.expander("Figures", key="rule-figures"):
        known = {figure.name: figure.about for figure in FIGURES} | FEED_FIGURES
        rows = [f"<li><code>{name}</code> {escape(known.get(name, ''))}</li>" for name in sorted(desk.book.figures)]
        st.html(f'<ul class="td-names">{"".join(rows)}</ul>')


def _feeds(rule: Rule, session: LiveSession) -> Feeds:
    """What a rule may look at, by its words: every feed, its own, or one that this tab reads."""
    own = [rule.feed] if rule.feed is not None else []
    known = list(dict.fromkeys([*own, *[key[:2] for key in session.keys]]))
    return {EVERY_FEED: None, **{f"{symbol} at {venue}": (venue, symbol) for venue, symbol in known}}


def _feed(rule: Rule, place: str, feeds: Feeds) -> bool:
    """The feed's fields; whether a single one is chosen."""
    names = [*feeds, ANOTHER]
    first = names.index(feed_of(rule)) if rule.id else min(1, len(feeds) - 1)
    chosen = str(st.selectbox("Feed", names, first, key=f"rule-feed-{place}"))
    if chosen == ANOTHER:
        st.selectbox("Venue", sorted(engine().connectors), key=f"rule-venue-{place}")
        st.text_input("Symbol, as the venue spells it", key=f"rule-symbol-{place}")
    return chosen != EVERY_FEED


def _save(desk: AlertDesk, old: Rule, place: str, feeds: Feeds) -> None:
    rule = _chosen(old, place, feeds)
    try:
        desk.book.put(rule)
    except ConfigError as error:
        st.session_state["rule-said"] = ("error", sentences(str(error), error.hint))
        return
    st.session_state["rules-made"] = st.session_state.get("rules-made", 0) + 1
    st.session_state["rule-said"] = ("success", f"Saved: {rule.name}.")


def _remove(desk: AlertDesk, rule: Rule) -> None:
    try:
        desk.book.remove(rule.id)
    except ConfigError as error:
        st.session_state["rule-said"] = ("error", sentences(str(error), error.hint))
        return
    st.session_state["rule-chosen"] = NEW
    st.session_state["rule-said"] = ("success", f"Removed: {rule.name}.")


def _said() -> None:
    tone, text = st.session_state.pop("rule-said", ("", ""))
    if tone == "error":
        st.error(plain(text))
    elif tone:
        st.success(plain(text))


def _table(rules: list[Rule], desk: AlertDesk) -> str:
    head = "".join([f"<th>{name}</th>" for name in HEADS])
    rows = "".join([_row(rule, desk.problems.get(rule.id, "")) for rule in rules])
    return (
        f'<div class="td-scroll"><table class="td-table" data-table="rules" data-rows="{len(rules)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(rule: Rule, problem: str) -> str:
    state = "off" if not rule.enabled else problem or "on"
    cells = (
        rule.name, what_of(rule), feed_of(rule), number(rule.cooldown_s, 0, " s"), "yes" if rule.toast else "no",
        channels_of(rule), state,
    )  # fmt: skip
    drawn = "".join([f"<td>{escape(cell)}</td>" for cell in cells])
    tone = "td-is-ended" if not rule.enabled else "td-is-active" if problem else ""
    return f'<tr class="{tone}" data-rule="{escape(rule.id)}">{drawn}</tr>'
