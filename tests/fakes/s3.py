"""As much of S3 as reading an archive needs: objects of one bucket out of a folder, listings, and parts of objects."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class FakeS3:
    """A server for the bucket `bucket`, whose objects are the files in `folder`. `asked` are the requests."""

    def __init__(self, bucket: str, folder: Path) -> None:
        self.asked: list[str] = []
        self.down = False
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                fake.asked.append(f"{self.command} {self.path}")
                path = unquote(address.path).strip("/").removeprefix(bucket).strip("/")
                if fake.down:
                    self._answer(403, _error("AccessDenied"))
                elif "list-type" in parse_qs(address.query):
                    self._answer(200, _listing(folder, parse_qs(address.query)))
                elif path and (folder / path).is_file():
                    self._object((folder / path).read_bytes())
                else:
                    self._answer(404, _error("NoSuchKey"))

            def _object(self, content: bytes) -> None:
                span = self.headers.get("Range", "")
                if not span.startswith("bytes="):
                    self._answer(200, content)
                    return
                first, _, last = span[6:].partition("-")
                end = min(int(last or len(content) - 1), len(content) - 1)
                self._answer(206, content[int(first) : end + 1], f"bytes {first}-{end}/{len(content)}")

            def _answer(self, status: int, content: bytes, span: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"one"')
                self.send_header("Last-Modified", "Thu, 08 Aug 2024 12:00:00 GMT")
                if span:
                    self.send_header("Content-Range", span)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="fake-s3", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)


def _listing(folder: Path, query: dict[str, list[str]]) -> bytes:
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found, groups = [], dict[str, None]()
    for key in keys:
        if key.startswith(prefix):
            inner = key[len(prefix) :]
            if delimiter and delimiter in inner:
                groups[prefix + inner.partition(delimiter)[0] + delimiter] = None
            else:
                found.append(key)
    objects = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{(folder / key).stat().st_size}</Size>"
        "<LastModified>2024-08-08T12:00:00.000Z</LastModified><ETag>one</ETag></Contents>"
        for key in found
    )
    common = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in groups)
    head = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    count = len(found) + len(groups)
    body = f"<IsTruncated>false</IsTruncated><KeyCount>{count}</KeyCount>{objects}{common}</ListBucketResult>"
    return (head + body).encode()


def _error(code: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()
