"""Programs and what they start: everything ends with the tree, whoever dies, and what was left behind is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import proc
from harness.errors import InfrastructureError
from harness.hosting.process_tree import ProcessTree, mark

SECONDS = 30.0  # for what takes a fraction of one on a machine with nothing else to do
# Each writes the pids of what it has started, then waits.
WAIT = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(1000)"
ATTACHED = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {WAIT!r}, sys.argv[1]]); time.sleep(1000)"
)
DAEMON = f"""
import os, signal, sys, time
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(0, 100)
    exec({WAIT!r})
os.wait()
time.sleep(1000)
"""
HOPPER = """
import os, sys, time
if not os.fork():
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)
        os.setsid()
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(0.002)
os.wait()
time.sleep(1000)
"""
SHORT = """
import os, subprocess, sys, time
subprocess.run([sys.executable, "-c", "pass"])
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(1000)
"""
# Ends when its parent does, as the helpers of multiprocessing do.
HELPER = """
import os, subprocess, sys, time
child = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); sys.stdin.read()"
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], stdin=subprocess.PIPE)
time.sleep(1000)
"""


def until(condition):
    """Wait for it."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid):
    return proc.identify(pid) is None


@pytest.fixture
def start(tmp_path):
    """Start a program below a server in this tree; the pid that it, or what it has started, has written."""

    def start(tree, program):
        # The server's own child is what runs the site.
        outer = "import subprocess, sys, time; subprocess.Popen([sys.executable, *sys.argv[1:]]); time.sleep(1000)"
        written = tmp_path / "pid"
        server = tree.start([sys.executable, "-c", outer, "-c", program, written], tmp_path / "log", dict(os.environ))
        until(lambda: written.exists() and written.read_text())
        (site,) = proc.children(server.pid)
        return server, site, lambda: int(written.read_text() or 0)

    return start


@pytest.mark.parametrize(
    ("program", "count"), [(ATTACHED, 1), (DAEMON, 1), (HOPPER, 1), (SHORT, 0), (HELPER, 0), (WAIT, 0)]
)
def test_all_ends_with_the_tree(start, program, count):
    """What a process of the site has left is ended and told; what ended before it, or with it, is not told."""
    with ProcessTree() as tree:
        server, site, left = start(tree, program)
    assert is_gone(server.pid)
    assert is_gone(site)
    until(lambda: is_gone(left()))
    assert (count > 0) == bool(tree.left)
    assert program is HOPPER or count == len(tree.left)


def test_a_mark_is_inherited(start, tmp_path):
    """The orphan of a marked process is ended once that process is gone; its server lives on."""
    written, go = tmp_path / "daemon", tmp_path / "go"
    waiting = (
        "import os, sys, time\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"sys.argv[1] = {str(written)!r}\n" + DAEMON
    )
    with ProcessTree() as tree:
        server, site, _ = start(tree, waiting)
        mark(proc.identify(site))
        go.touch()
        until(lambda: written.exists() and written.read_text())
        orphan = int(written.read_text())
        assert not is_gone(orphan)
        os.kill(site, signal.SIGKILL)
        until(lambda: is_gone(orphan))
        assert server.exit_code() is None
    assert [site] == [process.of for process in tree.left]


def test_a_killed_server_takes_all_with_it(start):
    """Its children do not outlive it, and its end is told."""
    with ProcessTree() as tree:
        server, site, _ = start(tree, ATTACHED)
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(SECONDS)
        assert -signal.SIGKILL == server.exit_code()
        until(lambda: is_gone(site))


OWNER = """
import os, sys, time
from pathlib import Path
from harness.hosting.process_tree import ProcessTree
tree = ProcessTree().__enter__()
server = tree.start([sys.executable, "-c", sys.argv[1], sys.argv[2]], Path(sys.argv[2] + ".log"), dict(os.environ))
print(server.pid, tree.keeper.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_a_killed_owner_or_keeper(tmp_path, victim):
    """When the harness is killed, or the keeper, all that was started ends."""
    written = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", OWNER, DAEMON, written], stdout=subprocess.PIPE, text=True) as owner:
        server, keeper = map(int, owner.stdout.readline().split())
        until(lambda: written.exists() and written.read_text())
        os.kill(owner.pid if victim == "owner" else keeper, signal.SIGKILL)
        until(lambda: is_gone(server) and is_gone(keeper))
        if victim == "owner":
            until(lambda: is_gone(int(written.read_text())))
        else:  # nobody knows of what had daemonised any more
            os.kill(int(written.read_text()), signal.SIGKILL)
        owner.kill()


def test_what_cannot_be_started(tmp_path):
    """A program that is not there is named."""
    with ProcessTree() as tree, pytest.raises(InfrastructureError, match="/no/such/program cannot be started: No such"):
        tree.start([Path("/no/such/program")], tmp_path / "log", {})


def test_a_program_gets_no_orders_socket(tmp_path):
    """What is started has no other files than the three of every program: it must not give orders."""
    log = tmp_path / "log"
    with ProcessTree() as tree:
        program = "import os; print(sorted(os.listdir('/proc/self/fd'))[:-1])"
        server = tree.start([sys.executable, "-c", program], log, {})
        assert server.wait(SECONDS)
    assert "['0', '1', '2']" == log.read_text().strip()
