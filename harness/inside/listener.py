"""Answers questions about the process from inside: what its threads are doing, what state it is in.

One thread waits in the kernel, without the interpreter lock, for somebody to open a named pipe beside the recording;
until then it costs nothing. What is needed for an answer is loaded when it is first asked for. Nothing here imports
a module before the answer does, because a hung process may hold the import lock: see stacks.py.

Python 2.7 and 3.x, standard library only.
"""

import marshal
import os
import sys
import time

try:
    from _thread import start_new_thread
except ImportError:
    from thread import start_new_thread

QUIET_SECONDS = 2.0  # a client has its answer before the server is done with the request: wait so long at most
WORDS = ("stacks", "state")  # what may be asked
FAILURES = 20  # in a row: then the pipe is no longer there


def answer(directory, recording, word):
    """Write `recording`.WORD, whole or not at all. Raises ValueError: nobody of ours asks that."""
    if word not in WORDS:
        raise ValueError(word)
    with open(os.path.join(directory, word + ".marshal"), "rb") as stream:
        namespace = {"__name__": "_harness_" + word, "sys": sys}
        exec(marshal.loads(stream.read()), namespace)
    text = namespace["tell"](_read(os.path.join(directory, "invariant")) if word == "state" else "")
    target = "%s.%s" % (recording, word)
    with open(target + ".part", "wb") as stream:
        stream.write(text)
    os.rename(target + ".part", target)


def _read(path):
    """The text of a file that the harness wrote; empty where it wrote none."""
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8")
    except EnvironmentError:
        return ""


def listen(directory, recording, is_busy):
    pipe = recording + ".ask"
    failures = 0
    while failures < FAILURES:
        try:
            descriptor = os.open(pipe, os.O_RDONLY)
            try:
                question = os.read(descriptor, 4096).decode("utf-8")
            finally:
                os.close(descriptor)
            waited = 0.0
            while question.startswith("state") and is_busy() and waited < QUIET_SECONDS:
                time.sleep(0.002)
                waited += 0.002
            if question:
                answer(directory, recording, question.strip())
            failures = 0
        except Exception:
            failures += 1


def install(directory, recording, is_busy):
    """Make the pipe and start the thread; `is_busy()` tells whether a request is in the process."""
    # Python 2 finds a codec by importing it, which a hung process cannot. Once found, it is remembered.
    b"".decode("utf-8")
    u"".encode("ascii")
    mask = os.umask(0)
    try:
        # Where the harness is another user than this one, and not root, it needs the pipe opened to it.
        os.mkfifo(recording + ".ask", 0o666 if os.path.exists(os.path.join(directory, "shared")) else 0o600)
    finally:
        os.umask(mask)
    start_new_thread(listen, (directory, recording, is_busy))
