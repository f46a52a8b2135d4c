"""Its place puts tests/ on sys.path, so that every test can `from build import ...`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell: whatever a test starts would ignore Ctrl-C too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
