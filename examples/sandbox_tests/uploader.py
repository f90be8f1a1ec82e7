"""Code of yours: uploads a video, and finds out whether it arrived if the answer was lost."""

import time
from pathlib import Path

import httpx


class Uploader:
    """Calls the API with nothing but httpx."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/serve/api/v1", headers={"Authorization": key}, trust_env=False)

    def upload(self, clip: Path) -> str:
        """Send it once and return its video_no."""
        with clip.open("rb") as file:
            answer = self.http.post("/upload", files={"file": (clip.name, file, "video/mp4")}).json()
        if answer["code"] != "0000":
            raise RuntimeError(answer["msg"])
        return str(answer["data"]["videoNo"])

    def upload_surely(self, clip: Path) -> str:
        """Send it until it has arrived, and not once more."""
        for _ in range(5):
            try:
                return self.upload(clip)
            except httpx.TransportError:
                listed = self.http.post("/list_videos", json={"video_name": clip.stem}).json()
                for video in listed["data"]["videos"]:
                    return str(video["video_no"])
            except RuntimeError:
                time.sleep(0.01)
        raise TimeoutError(f"{clip.name} did not arrive")
