"""The `harness` command. Signals are handled before the commands are imported, which takes a second."""

from __future__ import annotations

import os

from harness.hosting import interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class CommandLine:
    """The command as a program; otherwise it is the group of its commands, loaded when it is first asked for."""

    def __call__(self) -> NoReturn:
        interruption.install()
        try:
            from harness.cli import guard  # noqa: PLC0415 - see above
            from harness.cli.commands import main as commands  # noqa: PLC0415
            from harness.hosting.leftovers import tidy  # noqa: PLC0415
        except Exception as error:  # noqa: BLE001 - exit code 1 is a judgement, and this is none
            _refuse(error)
        interruption.begin()
        code = interruption.EXIT_CODE
        try:
            commands()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else interruption.EXIT_CODE
        except KeyboardInterrupt:
            code = guard.interrupted()
        finally:
            interruption.end()
            tidy()
        guard.flush_output()
        # Not sys.exit: threads of an interrupted command may still be waiting for what was ended.
        os._exit(code)

    def __getattr__(self, name: str) -> Any:
        from harness.cli.commands import main as commands  # noqa: PLC0415 - see above

        return getattr(commands, name)


def _refuse(error: Exception) -> NoReturn:
    """End where the program's own modules cannot be loaded: want of memory or files, or a damaged installation."""
    why = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
    hint = "is a limit too low (ulimit -v, -n)? Otherwise install it again"
    try:
        os.write(2, f"harness: it cannot be loaded ({why}): {hint}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(interruption.EXIT_CODE)


main = CommandLine()
