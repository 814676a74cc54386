# SPDX-License-Identifier: BSD-3-Clause
"""Write `src/broadpeak/__init__.pyi`, so that type checkers see the lazy names."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import broadpeak

HEAD = """# SPDX-License-Identifier: BSD-3-Clause
# The public names for type checkers. Written by tools/write_stub.py; edit __init__.py instead.
"""


def stub() -> str:
    """Return the text of the stub: one explicit re-export a name."""
    names = defaultdict(list)
    special = {}
    for name, home in broadpeak._HOMES.items():  # noqa: SLF001  # the table it is made of
        names[f"broadpeak.{home}"].append(name)
    for name, home in broadpeak._MODULES.items():  # noqa: SLF001
        parent, _, module = f"broadpeak.{home}".rpartition(".")
        assert module == name, f"{name} must be the module of its own name"  # noqa: S101
        kind = type(getattr(broadpeak, name))
        if kind is ModuleType:
            names[parent].append(name)
        else:
            # Type checkers take a module for a plain one; this one can do more.
            special[name] = f"broadpeak.{home}", kind.__name__
    lines = [HEAD]
    for module in sorted(names):
        lines += [f"from {module} import {name} as {name}\n" for name in sorted(names[module])]
    lines += [f"from {module} import {kind}\n" for module, kind in special.values()]
    lines.append("\n__version__: str\n__all__: list[str]\n")
    lines += [f"{name}: {kind}\n" for name, (_, kind) in special.items()]
    return "".join(lines)


if __name__ == "__main__":
    target = Path(broadpeak.__file__).with_suffix(".pyi")
    target.write_text(stub(), encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--fix", "--select", "I", target], check=True)
    subprocess.run([*ruff, "format", "--quiet", target], check=True)
