"""The table in docs/integration.md: every row has a verdict, and every proof is where it says."""

from __future__ import annotations

import re

import pytest

from tests.command_line import REPOSITORY

PAGE = REPOSITORY / "docs" / "integration.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (yes|partly|no) \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\[(`?)([^\]]+?)`?\]\(([^)]+)\)")

ROWS = ROW.findall(PAGE.read_text())


def test_rows_are_numbered_and_none_is_without_a_verdict() -> None:
    numbers = [int(number) for number, *_ in ROWS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 60
    assert len(numbers) == len(re.findall(r"^\| \d+ \|", PAGE.read_text(), re.MULTILINE))


@pytest.mark.parametrize(("number", "row", "verdict", "proof"), ROWS, ids=[row[0] for row in ROWS])
def test_a_proof_is_where_it_says(number: str, row: str, verdict: str, proof: str) -> None:
    links = LINK.findall(proof)
    assert links or verdict != "yes", f"row {number} ({row}) says yes and proves nothing"
    for quote, text, target in links:
        file = (PAGE.parent / target).resolve()
        assert file.is_file(), f"row {number}: {target} is not there"
        if quote and text != file.name:
            # A test or a name in the code: it must be in the file that is linked.
            wanted = rf"def {text}\b" if text.startswith("test_") else re.escape(text)
            assert re.search(wanted, file.read_text()), f"row {number}: {target} has no {text}"
