"""Code of yours: uploads a video, and finds out whether it arrived if the answer was lost."""

import time
from pathlib import Path

import httpx

TOO_FAST = "0429"
MOST_ATTEMPTS = 5


class TooFastError(Exception):
    """The service asks to come back later."""


def open_api(url: str, key: str) -> httpx.Client:
    """A connection to the API; close it when you are done."""
    return httpx.Client(base_url=f"{url}/serve/api/v1", headers={"Authorization": key}, trust_env=False)


class Uploader:
    """Calls the API with nothing but httpx."""

    def __init__(self, http: httpx.Client, *, pause_seconds: float = 1.0) -> None:
        self.http = http
        self.pause_seconds = pause_seconds

    def upload(self, clip: Path) -> str:
        """Send it once and return its video_no."""
        with clip.open("rb") as file:
            answer = self.http.post("/upload", files={"file": (clip.name, file, "video/mp4")}).json()
        if answer["code"] == TOO_FAST:
            raise TooFastError(answer["msg"])
        if answer["code"] != "0000":
            raise RuntimeError(f"{clip.name} was refused: {answer['code']} {answer['msg']}")
        return str(answer["data"]["videoNo"])

    def upload_surely(self, clip: Path) -> str:
        """Send it until it has arrived, and not once more."""
        for attempt in range(MOST_ATTEMPTS):
            try:
                return self.upload(clip)
            except httpx.TransportError:
                listed = self.http.post("/list_videos", json={"video_name": clip.stem}).json()
                for video in listed["data"]["videos"]:
                    return str(video["video_no"])
            except TooFastError:
                # This passes by itself, sooner if nobody presses; any other refusal is the caller's to look at.
                time.sleep(self.pause_seconds * 2**attempt)
        raise TimeoutError(f"{clip.name} did not arrive in {MOST_ATTEMPTS} attempts")
