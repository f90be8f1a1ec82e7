"""Each of the 62 behaviours of contract §9 has a test that names it, and the table of them says so."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = FOLDER.parents[1] / "docs" / "contract.md"
NUMBERS = range(1, 63)
IN_A_NAME = re.compile(r"(?:^test|_and)_(\d\d)_")
ROW = re.compile(r"^\| (\d+) \| ([CS ]+) \| (.+?) \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\[`(test_\w+)`\]\(\.\./tests/contract/(test_contract_\w+\.py)\)")

# Who keeps it: the client, the sandbox, or both (contract §9 marks them C and E).
BOTH = frozenset({1, 6, 7, 9, 11, 14, 15, 18, 19, 33, 45, 50, 53, 61})
SANDBOX = frozenset({21, 22, 23, 24, 34, 36, 37, 39, 42, 44, 55, 58, 60, 62})


def numbered_tests() -> dict[int, set[tuple[str, str]]]:
    """Name and file of every test in this folder that begins with a number, by number."""
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for path in sorted(FOLDER.glob("test_contract_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                numbers = IN_A_NAME.findall(node.name)
                assert numbers, f"{node.name} in {path.name} names no behaviour"
                for number in numbers:
                    found[int(number)].add((node.name, path.name))
    return found


def test_no_behaviour_is_without_a_test() -> None:
    assert sorted(numbered_tests()) == list(NUMBERS)


def test_the_table_names_every_behaviour_and_every_test_of_it() -> None:
    rows = ROW.findall(TABLE.read_text())
    assert [int(number) for number, *_ in rows] == list(NUMBERS)
    assert {int(number): set(LINK.findall(proof)) for number, _, _, proof in rows} == numbered_tests()


def test_the_table_says_who_keeps_each() -> None:
    marks = {int(number): mark for number, mark, *_ in ROW.findall(TABLE.read_text())}
    assert marks == {number: "C S" if number in BOTH else "S" if number in SANDBOX else "C" for number in NUMBERS}
