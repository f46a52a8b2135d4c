#: Writes what would be obeyed to its log, and fails.
#: verdict = "broken"
#: class = "error"
import sys


def application(environ, start_response):
    sys.stderr.write("\x1b[2J\x1b]0;owned\x07\n::error file=x::owned\n##vso[task.complete]\n\u202egpj.exe\n")
    environ["wsgi.errors"].write("::add-mask::a\r\x1b[31m\n")
    raise RuntimeError("after that")
