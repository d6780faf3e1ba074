"""Order Flow: one symbol's book and trades over time, what the detectors found, and what came of earlier signals."""

from app.panels import controls, flow_charts, flow_correlation, flow_tables, replay, sidebar

session, view = sidebar.show("flow")
if not view.running:
    controls.welcome(view)
else:
    key = flow_charts.show(session, view)
    flow_tables.show(session, key)
    flow_correlation.show(view)
    replay.remark(view.connector)
