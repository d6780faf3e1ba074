"""The data plane as the ASGI application sees it: its routes, and how it starts and stops."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.live.assets import MEDIA_TYPES, asset_path, build, plotly_path, plotly_version
from app.live.broadcaster import FRAMES_PER_S, Broadcaster
from app.live.socket import LiveSocket
from app.live.source import LiveSource
from app.live.tickets import TicketOffice

FOREVER = "public, max-age=31536000, immutable"
NEVER = "no-cache"


class LiveSettings(Struct, frozen=True):
    """`allowed_hosts` are the names under which the page may be reached (without port; `*` for any)."""

    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    frames_per_s: float = FRAMES_PER_S
    most_tabs: int = 200


class LivePlane:
    """Everything of the data plane. `office` mints the tickets that the page's script hands to its panels."""

    def __init__(
        self, source: LiveSource, settings: LiveSettings | None = None, *, office: TicketOffice | None = None
    ) -> None:
        chosen = settings or LiveSettings()
        self.office = office or TicketOffice()
        self.broadcaster = Broadcaster(source, frames_per_s=chosen.frames_per_s)
        self.socket = LiveSocket(
            self.broadcaster, self.office, allowed_hosts=chosen.allowed_hosts, most_tabs=chosen.most_tabs
        )

    async def start(self) -> None:
        """Start the frame clock; call in the lifespan, on the event loop."""
        self.broadcaster.start()

    async def stop(self) -> None:
        """Stop it and let go of every feed."""
        await self.broadcaster.stop()

    def routes(self) -> list[BaseRoute]:
        """What `st.App(routes=…)` takes."""
        return [
            WebSocketRoute("/ws/live", self.socket.serve),
            Route("/assets/plotly-{version}.js", plotly),
            Route("/assets/{build}/{name}", asset),
        ]


def asset(request: Request) -> Response:
    """One of our modules. Under the address of the current build it may be kept for ever."""
    path = asset_path(request.path_params["name"])
    if path is None:
        return PlainTextResponse("not found", status_code=404)
    current = request.path_params["build"] == build()
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=_headers(FOREVER if current else NEVER))


def plotly(request: Request) -> Response:
    """Plotly.js from the installed package."""
    current = request.path_params["version"] == plotly_version()
    return FileResponse(plotly_path(), media_type="text/javascript", headers=_headers(FOREVER if current else NEVER))


def _headers(caching: str) -> dict[str, str]:
    return {"cache-control": caching, "x-content-type-options": "nosniff"}
