"""Footage made on the spot, and sandboxes that are stopped when a test ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import httpx
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image, ImageDraw

from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig

WIDTH, HEIGHT, FRAMES_PER_SECOND = 160, 120, 5

Json = dict[str, Any]
Line = tuple[float, float, str]


def draw_frame(
    *, shape: str = "circle", colour: str = "red", background: str = "black", at: float = 0.3
) -> Image.Image:
    """One frame: a shape whose left edge is at a share of the width."""
    image = Image.new("RGB", (WIDTH, HEIGHT), background)
    pen = ImageDraw.Draw(image)
    left, top, side = int(at * WIDTH), 40, 40
    if shape == "circle":
        pen.ellipse((left, top, left + side, top + side), fill=colour)
    elif shape == "square":
        pen.rectangle((left, top, left + side, top + side), fill=colour)
    elif shape == "triangle":
        pen.polygon([(left, top + side), (left + side, top + side), (left + side // 2, top)], fill=colour)
    return image


def encode(
    path: Path,
    *,
    seconds: float = 6,
    shape: str = "circle",
    colour: str = "red",
    background: str = "black",
    codec: str = "libx264",
    lines: Sequence[Line] = (),
    then: Mapping[str, str] | None = None,
) -> Path:
    """A clip in which a shape moves to the right; in its second half other colours or shapes, if `then` says so."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=FRAMES_PER_SECOND)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if lines:
            _write_lines(container, path, lines)
        count = round(seconds * FRAMES_PER_SECOND)
        for number in range(count):
            look = {"shape": shape, "colour": colour, "background": background}
            if then is not None and number >= count / 2:
                look |= dict(then)
            picture = draw_frame(**look, at=0.1 + 0.5 * number / count)
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(video.encode())
    return path


def _write_lines(container: av.container.OutputContainer, path: Path, lines: Sequence[Line]) -> None:
    is_mp4 = path.suffix in {".mp4", ".mov"}
    track = container.add_mux_stream("mov_text" if is_mp4 else "subrip")
    track.time_base = Fraction(1, 1000)
    container.start_encoding()
    for start, end, text in lines:
        raw = text.encode()
        packet = av.Packet(len(raw).to_bytes(2, "big") + raw if is_mp4 else raw)
        packet.stream = track
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(start * 1000)
        packet.duration = round((end - start) * 1000)
        container.mux(packet)


@dataclass(frozen=True)
class Footage:
    """A few clips that every test may upload."""

    red_circle: Path
    blue_square: Path
    green_triangle: Path
    two_scenes: Path
    text_file: Path


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    folder = tmp_path_factory.mktemp("footage")
    text_file = folder / "not-a-video.mp4"
    text_file.write_text("this is not a video")
    lines = ((0.5, 2.0, "where is the love"), (3.0, 5.0, "The Warranty ends in May"))
    return Footage(
        red_circle=encode(folder / "red-circle.mp4", lines=lines),
        blue_square=encode(folder / "harbour.mkv", shape="square", colour="blue", background="white"),
        green_triangle=encode(folder / "meadow.mov", shape="triangle", colour="green", background="white", seconds=3),
        two_scenes=encode(folder / "two-scenes.mp4", then={"shape": "square", "colour": "yellow"}),
        text_file=text_file,
    )


class Api:
    """The API as any HTTP client sees it."""

    def __init__(self, server: Sandbox, *, key: str | None = None) -> None:
        self.http = httpx.Client(
            base_url=f"{server.url}/serve/api/v1",
            headers={"Authorization": key or server.api_key},
            timeout=30,
            trust_env=False,
        )

    def get(self, operation: str, **params: Any) -> Json:
        return self._json(self.http.get(f"/{operation}", params=params))

    def post(self, operation: str, body: object = None, **params: Any) -> Json:
        return self._json(self.http.post(f"/{operation}", json=body, params=params))

    def form(self, operation: str, **fields: Any) -> Json:
        return self._json(self.http.post(f"/{operation}", data=fields))

    def send_file(
        self, operation: str, path: Path, *, name: str | None = None, media_type: str = "video/mp4", **fields: Any
    ) -> Json:
        with path.open("rb") as file:
            part = {"file": (name or path.name, file, media_type)}
            return self._json(self.http.post(f"/{operation}", files=part, data=fields))

    def upload(self, path: Path, **fields: Any) -> str:
        """Upload a clip and return its id."""
        answer = self.send_file("upload", path, **fields)
        assert answer["code"] == "0000", answer
        return str(answer["data"]["videoNo"])

    def listed(self, **body: Any) -> list[Json]:
        answer = self.post("list_videos", {"page": 1, "size": 200, **body})
        assert answer["code"] == "0000", answer
        return list(answer["data"]["videos"])

    def search(self, text: str, **body: Any) -> list[Json]:
        answer = self.post("search", {"search_param": text, **body})
        assert answer["code"] == "0000", answer
        return list(answer["data"])

    @staticmethod
    def _json(response: httpx.Response) -> Json:
        assert response.status_code == 200, response.text
        decoded: Json = response.json()
        return decoded


class Start(Protocol):
    """Start a sandbox; anything of its configuration may be given."""

    def __call__(self, **config: object) -> Sandbox: ...


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start(tmp_path: Path, resources: ExitStack) -> Start:
    number = iter(range(100))

    def start_one(**config: object) -> Sandbox:
        settings: dict[str, Any] = {"state_dir": tmp_path / f"state-{next(number)}", "indexing_seconds": 0, **config}
        return resources.enter_context(Sandbox(SandboxConfig(**settings)))

    return start_one


@pytest.fixture
def connect(resources: ExitStack) -> Callable[..., Api]:
    def connect_one(server: Sandbox, *, key: str | None = None) -> Api:
        api = Api(server, key=key)
        resources.callback(api.http.close)
        return api

    return connect_one


@pytest.fixture
def server(start: Start) -> Sandbox:
    return start()


@pytest.fixture
def api(server: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(server)


@pytest.fixture
def as_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a picture to a file."""

    def write(image: Image.Image, name: str = "query.png") -> Path:
        path = tmp_path / name
        image.save(path)
        return path

    return write


@pytest.fixture
def draw() -> Callable[..., Image.Image]:
    """Draw a frame as the clips have them."""
    return draw_frame


@pytest.fixture
def encode_clip() -> Callable[..., Path]:
    """Encode a clip of one's own."""
    return encode


@pytest.fixture
def noise() -> Image.Image:
    """A picture that is like nothing."""
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
