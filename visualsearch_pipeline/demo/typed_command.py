"""How this command is typed in the shell that started it, so that what the demo prints runs as it is printed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from visualsearch_pipeline.terminal import shown_path

_NAME: Final = "visualsearch"


def typed_command() -> str:
    """`visualsearch` where the shell finds it by its name, else the path of the program, else Python and the module.

    Found by another name's sake does not count: a `visualsearch` of another environment knows nothing of this one.
    """
    here = Path(sys.executable).parent / _NAME
    found = shutil.which(_NAME)
    if found is not None and here.exists() and Path(found).samefile(here):
        return _NAME
    if here.exists():
        return shlex.quote(shown_path(here))
    return f"{shlex.quote(sys.executable)} -m visualsearch_pipeline.cli"
