"""Names the plugin, which brings the fixture `visualsearch_sandbox`."""

from pathlib import Path

import pytest
from PIL import Image

from visualsearch_pipeline.demo.encoding import encode_clip

pytest_plugins = ["visualsearch_pipeline.sandbox.pytest_plugin"]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of grey; a short video of your own does as well."""
    path = tmp_path_factory.mktemp("clips") / "grey.mp4"
    encode_clip(path, seconds=2, fps=5, draw=lambda _: Image.new("RGB", (160, 120), "grey"))
    return path
