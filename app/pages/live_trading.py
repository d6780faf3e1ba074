"""Live Trading: pick a venue and its symbols, start, and see what is live, how old it is and where it came from."""

from app.panels import controls, diagnosis, market, metrics, sidebar, signals, status

session, view = sidebar.show("live")
if not view.running:
    controls.welcome(view)
else:
    status.show(session, view)
    market.show(session, view)
    metrics.show(session, view)
    signals.show(session, view)
    diagnosis.show(session, view)
