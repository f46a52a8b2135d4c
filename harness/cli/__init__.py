"""The `harness` command. Signals are handled before the commands are imported, which takes a second."""

from __future__ import annotations

import os
import sys

from harness.hosting import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class CommandLine:
    """The command as a program; otherwise it is the group of its commands, loaded when it is first asked for."""

    def __call__(self) -> NoReturn:
        interruption.install()
        from harness.cli.commands import main as commands  # noqa: PLC0415 - see above
        from harness.hosting.leftovers import tidy  # noqa: PLC0415

        interruption.begin()
        code = interruption.EXIT_CODE
        try:
            commands()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except KeyboardInterrupt:
            print("harness: interrupted; nothing is left running", file=sys.stderr)
        finally:
            interruption.end()
            tidy()
        _flush()
        # Not sys.exit: threads of an interrupted command may still be waiting for what was ended.
        os._exit(code)

    def __getattr__(self, name: str) -> Any:
        from harness.cli.commands import main as commands  # noqa: PLC0415 - see above

        return getattr(commands, name)


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads it any more
        pass


main = CommandLine()
