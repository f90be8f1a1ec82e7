"""The page for people who test their own code is executed, in a project of its own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import visualsearch_pipeline

if TYPE_CHECKING:
    import pytest

    from tests.conftest import ClipShelf

pytest_plugins = ["pytester"]

PAGE = (Path(visualsearch_pipeline.__file__).parents[1] / "docs" / "testing.md").read_text()


def files_of_the_page() -> dict[str, str]:
    """The Python files that the page shows, by name, with their continuations."""
    files: dict[str, str] = {}
    for name, code in re.findall(r"```python\n# (\w+\.py)[^\n]*\n(.*?)```", PAGE, re.DOTALL):
        files[name] = files.get(name, "") + code
    return files


def test_the_page_s_tests_pass_in_a_project_of_their_own(pytester: pytest.Pytester, clip_shelf: ClipShelf) -> None:
    for name, code in files_of_the_page().items():
        (pytester.path / name).write_text(code)
    shutil.copyfile(clip_shelf.path("red"), pytester.path / "clip.mp4")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", timeout=120)
    result.assert_outcomes(passed=6)


def test_the_page_s_faults_are_needed_for_its_tests_to_mean_anything(
    pytester: pytest.Pytester, clip_shelf: ClipShelf
) -> None:
    files = files_of_the_page()
    # Without the look into the library, the answer that was lost after the effect leaves a second video.
    files["uploader.py"] = files["uploader.py"].replace('listed["data"]["videos"]', "[]")
    for name, code in files.items():
        (pytester.path / name).write_text(code)
    shutil.copyfile(clip_shelf.path("red"), pytester.path / "clip.mp4")
    result = pytester.runpytest_subprocess(
        "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-k", "lost_answer", timeout=120
    )
    result.assert_outcomes(passed=1, failed=1)


def test_fixtures_do_not_exist_where_the_plugin_is_not_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(visualsearch_sandbox): pass")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", timeout=120)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'visualsearch_sandbox' not found*"])


def test_a_sandbox_of_its_own_is_steered_as_the_page_says(tmp_path: Path) -> None:
    (command,) = re.findall(r"```sh\n(.*?)\n```", PAGE)
    words = shlex.split(command)
    words[words.index("8765")] = "0"
    (tmp_path / "steer.py").write_text(files_of_the_page()["steer.py"])
    with subprocess.Popen([sys.executable, *words[1:]], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            steered = subprocess.run(
                [sys.executable, "steer.py", url], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
            )
            assert steered.stdout.strip() == "spring-503", steered.stderr
        finally:
            process.terminate()
