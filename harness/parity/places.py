"""Which files a comparison is about: the site's directory, its manage.py, and the script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cases.reading import entries, is_directory, is_file, shown
from harness.errors import BadInput, listing, nearest, quoted


@dataclass(frozen=True)
class Places:
    """Absolute paths."""

    root: Path
    manage: Path
    script: Path

    @property
    def bases(self) -> tuple[Path, ...]:
        """Directories from which the site's modules may be named."""
        top = self.root.parent if (self.root / "__init__.py").exists() else self.root
        return tuple(dict.fromkeys((top, self.manage.parent)))

    def shown(self, path: str) -> str:
        """A path for a reader: relative to the site's directory where it lies in it."""
        if Path(path) == self.root.parent:
            return "(above the site)"
        here = Path(path).is_relative_to(self.root)
        return str(self.root.name / Path(path).relative_to(self.root)) if here else path


def find_places(site: str, sites: Path, script: str | None) -> Places:
    """The places of a site: a directory, or the name of one in `sites`. Raises BadInput: no such site, no manage.py in
    it (or several), no such script, or none to choose from."""
    root = _root(site, sites)
    return Places(root, _manage(root), _script(root, script))


def _root(site: str, sites: Path) -> Path:
    for directory in (Path(site), sites / site):
        if is_directory(directory):
            return directory.resolve()
    if is_file(Path(site)):
        raise BadInput(f"{shown(site)} is a file: name the site's directory, the one that holds manage.py")
    known = [path.name for path in entries(sites) if is_directory(path)]
    raise BadInput(
        f"there is no site {quoted(site)}, here or in {shown(sites)}{nearest(site, known)}{listing('sites', known)}"
    )


def _manage(root: Path) -> Path:
    if is_file(root / "manage.py"):
        return root / "manage.py"
    paths = sorted(root.glob("*/manage.py"))
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise BadInput(f"{root}: there is no manage.py, here or one directory below: it starts the development server")
    raise BadInput(f"{root}: several manage.py ({_names(root, paths)}): name the directory of the one that is meant")


def _script(root: Path, script: str | None) -> Path:
    known = sorted((root / "scripts").glob("*.wsgi")) or sorted(root.glob("*.wsgi")) or sorted(root.glob("*/wsgi.py"))
    if script is None:
        defaults = [path for path in known if path.stem == "default"] or known
        if len(defaults) == 1:
            return defaults[0]
        if not known:
            raise BadInput(
                f"{root}: there is no WSGI script (scripts/*.wsgi, *.wsgi, */wsgi.py): name one with --script"
            )
        raise BadInput(f"{root}: several WSGI scripts ({_names(root, known)}): name one with --script")
    for path in known:
        if script in (path.stem, path.name):
            return path
    for path in (Path(script), root / script):
        if is_file(path):
            return path.resolve()
    stems = [path.stem for path in known]
    raise BadInput(f"there is no script {quoted(script)} in {root}{nearest(script, stems)}{listing('scripts', stems)}")


def _names(root: Path, paths: Sequence[Path]) -> str:
    return ", ".join(str(path.relative_to(root)) for path in paths)
