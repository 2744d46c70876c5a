"""What `import vod_migrate` offers: a short list, imported when it is used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import vod_migrate


def test_each_public_name_is_there_and_typed() -> None:
    stub = Path(vod_migrate.__file__).with_suffix(".pyi").read_text()
    typed = {*re.findall(r"import (\w+) as \1\n", stub), *re.findall(r"^(\w+):", stub, re.MULTILINE)}
    assert typed == set(vod_migrate.__all__)
    for name in vod_migrate.__all__:
        assert getattr(vod_migrate, name) is not None
        assert name == "__version__" or name in (vod_migrate.__doc__ or "")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = vod_migrate.nothing


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys, vod_migrate; print(*[name for name in sys.modules if name.startswith('vod_migrate.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
