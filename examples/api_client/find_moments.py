"""Upload one video, wait until it is indexed, and print the moments that match a text."""

import os
import sys
import time
from pathlib import Path

from visualsearch_pipeline.api import UniqueIdScope, VideoStatus, VisualSearchClient, VisualSearchError

POLL_SECONDS = 2.0
MOST_SECONDS = 3600.0


def main(path: str, text: str) -> int:
    """Print one line per moment: where it begins and ends, and how well it matches."""
    client = VisualSearchClient(
        base_url=os.environ.get("VISUALSEARCH_BASE_URL", "https://api.memories.ai"),
        api_key=os.environ["VISUALSEARCH_API_KEY"],
        scope=UniqueIdScope("api_client_example"),
    )
    with client:
        try:
            uploaded = client.upload(Path(path), upload_name=Path(path).name)
            until = time.monotonic() + MOST_SECONDS
            while (video := client.get_metadata(uploaded.video_no)) is None or video.status is VideoStatus.PROCESSING:
                if time.monotonic() > until:
                    sys.stderr.write(f"{path}: {uploaded.video_no} is not indexed after {MOST_SECONDS:.0f} s\n")
                    return 1
                # The service indexes in its own time and can call back only an address that the whole world reaches.
                time.sleep(POLL_SECONDS)
            if video.status is VideoStatus.FAILED:
                sys.stderr.write(f"{path}: the service could not index it: {video.cause}\n")
                return 1
            for hit in client.search(text, top_k=10, video_nos=[video.video_no]):
                sys.stdout.write(f"{hit.start_seconds} - {hit.end_seconds} s  score {hit.score}\n")
        except VisualSearchError as error:
            # Each says what was attempted, what the service answered, and what to do.
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
