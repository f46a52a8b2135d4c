"""What the pages are made of is in an installed package too."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "harness" / "report" / "templates"


def test_templates_are_package_data():
    """Every file of the templates is declared, and the library among them has its licence."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["harness"]
    files = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    assert len(files) > 8
    missing = [path for path in files if not any(path.relative_to(ROOT / "harness").match(glob) for glob in patterns)]
    assert [] == missing
    assert "MIT" in (TEMPLATES / "uplot" / "LICENSE").read_text()
