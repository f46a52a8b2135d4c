"""What every thread is doing, and what it waits for: told by the process itself while it hangs.

Nothing is imported here: the thread that hangs may hold Python 2's one import lock, and there even an `import sys`
waits for it, which is why the listener brings sys along. Locks are named where that can be known: from the import
system's own book-keeping (Python 3), from the owner that a lock tells, and from what the line that waits calls it.
"""

if "sys" not in globals():
    import sys

DEPTH = 60  # frames of a thread, the innermost ones
VALUES = 40  # names looked through for a lock
OURS = ("_harness_perturb", "_harness_order")  # a lock that is watched is taken through them


def is_limited(frame, known):
    """Whether a thread that waits there for a lock may give up: its line gives a timeout, or something that may be
    one."""
    frame = caller_of(frame)
    line = source_line(frame.f_code.co_filename, frame.f_lineno, known) if frame is not None else ""
    _, called, rest = line.partition("acquire(")
    return "timeout" in line or bool(called) and not rest.startswith(")")


def in_a_ring(owners):
    """Of `owners` (thread -> the one that holds what it waits for) those that wait for each other."""
    found = set()
    for first in owners:
        path, thread = [], first
        while thread in owners and thread not in path:
            path.append(thread)
            thread = owners[thread]
        if thread == first and len(path) > 1:
            found.update(path)
    return found


def quote(text):
    """A JSON string in ASCII."""
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= code < 127:
            out.append(char)
        elif code < 0x10000:
            out.append("\\u%04x" % code)
        else:
            out.append("\\ufffd")
    return '"' + "".join(out) + '"'


def source_line(path, number, known):
    """A line of a source file, read without the linecache module; "" where there is none."""
    lines = known.get(path)
    if lines is None:
        try:
            with open(path, "rb") as stream:
                lines = stream.read().split(b"\n")
        except Exception:
            lines = []
        known[path] = lines
    if 0 < number <= len(lines):
        return lines[number - 1].decode("utf-8", "replace").strip()
    return ""


def lock_name(frame, known):
    """The lock that a thread may be waiting for, by its innermost frame: (name, owner's thread or 0, id) or None."""
    code = frame.f_code
    holder = frame.f_locals.get("self")
    if "importlib" in code.co_filename and holder is not None and hasattr(holder, "owner"):
        return "the import lock of module %s" % getattr(holder, "name", "?"), owner_of(holder), id(holder)
    if code.co_name == "watching_import":  # the probe's, on Python 2, around each import statement
        return "the import lock", importing_thread(), 1
    # What threading calls a lock in its own functions says nothing: who has called them knows it by a name.
    for each in (caller_of(frame), frame):
        if each is not None:
            line = source_line(each.f_code.co_filename, each.f_lineno, known)
            for name, value in candidates(each, line):
                value = getattr(value, "_harness_lock", value)
                kind = type(value).__name__.lower().strip("_")
                if "lock" in kind or "condition" in kind or "semaphore" in kind:
                    return lasting_name(each, name, value, kind), owner_of(value), id(value)
    line = source_line(code.co_filename, frame.f_lineno, known)
    if line.split(" ")[0] in ("import", "from") or "__import__(" in line or "import_module(" in line:
        return "the import lock", importing_thread(), 1
    return None


def caller_of(frame):
    """The innermost frame that is neither threading's own nor ours."""
    while frame is not None and (
        frame.f_code.co_filename.endswith(("/threading.py", "/threading.pyc"))
        or frame.f_globals.get("__name__") in OURS
    ):
        frame = frame.f_back
    return frame


def importing_thread():
    """Python 2's one import lock is held by the thread that executes a module; 0 where that is not known."""
    if sys.version_info[0] == 2:
        for thread, frame in sys._current_frames().items():
            while frame is not None:
                # The script has no caller: the server loads it, under a lock of its own.
                if frame.f_code.co_name == "<module>" and frame.f_back is not None:
                    return thread
                frame = frame.f_back
    return 0


def lasting_name(frame, name, lock, kind):
    """What the frame's module calls the lock, where a function only has a name of its own for it."""
    for each, value in list(frame.f_globals.items()):
        if value is lock or (type(value).__name__ == "PointedLock" and value._harness_lock is lock):
            return "%s.%s" % (frame.f_globals.get("__name__", "?").partition("_mod_wsgi_")[0] or "(script)", each)
    if name.startswith("self.") and "self" in frame.f_locals:
        name = type(frame.f_locals["self"]).__name__ + name[4:]
    return "%s (%s %s)" % (name, "an" if kind == "rlock" else "a", kind)


def candidates(frame, line):
    """Names on the line that waits, dotted ones too, and their values."""
    names, word = [], ""
    for char in line + " ":
        if char.isalnum() or char in "_.":
            word += char
        else:
            if word and not word[0].isdigit():
                names.append(word.strip("."))
            word = ""
    for name in names[:VALUES]:
        parts = name.split(".")
        if parts[-1] in ("acquire", "__enter__", "wait") and len(parts) > 1:
            parts = parts[:-1]
        if parts[0] in frame.f_locals:
            value = frame.f_locals[parts[0]]
        elif parts[0] in frame.f_globals:
            value = frame.f_globals[parts[0]]
        else:
            continue
        try:
            for part in parts[1:]:
                value = vars(value)[part] if part in getattr(value, "__dict__", {}) else getattr(type(value), part)
        except Exception:
            continue
        yield ".".join(parts), value
    # logging's own functions take the module's lock, whose name the caller's line does not tell
    if frame.f_code.co_filename.endswith(("logging/__init__.py", "logging/__init__.pyc")):
        for owner in (frame.f_locals.get("self"), None):
            value = getattr(owner, "lock", None) if owner is not None else frame.f_globals.get("_lock")
            if value is not None:
                yield "logging's lock" if owner is None else "lock of a logging handler", value


def owner_of(lock):
    """The thread that holds it, where the lock tells; else 0."""
    for name in ("owner", "_owner", "_RLock__owner"):
        value = getattr(lock, name, None)
        if isinstance(value, int):
            return value
    text = repr(lock)  # <locked _thread.RLock object owner=139… count=1 at 0x…>
    if "owner=" in text:
        digits = text.split("owner=")[1].split(" ")[0]
        if digits.isdigit():
            return int(digits)
    return 0


def tell(_):
    """JSON: for each thread its frames, innermost last, and the lock that it waits for, and whether for good."""
    known = {}
    threads, owners = [], {}
    for thread, frame in sorted(sys._current_frames().items()):
        if frame.f_globals.get("__name__") == __name__:
            continue  # this one
        waits = None
        try:
            waits = lock_name(frame, known)
            if waits and waits[1] and not is_limited(frame, known):
                owners[thread] = waits[1]
        except Exception:
            pass
        frames = []
        while frame is not None and len(frames) < DEPTH:
            code = frame.f_code
            line = source_line(code.co_filename, frame.f_lineno, known)
            if frame.f_globals.get("__name__") not in OURS:
                frames.append(
                    "[%s,%d,%s,%s]" % (quote(code.co_filename), frame.f_lineno or 0, quote(code.co_name), quote(line))
                )
            frame = frame.f_back
        name, owner, lock = waits or ("", 0, 0)
        threads.append((thread, quote(name), owner, lock, ",".join(reversed(frames))))
    ring = in_a_ring(owners)
    form = '{"thread":%d,"waits_for":%s,"owner":%d,"lock":%d,"frames":[%s],"for_good":%s}'
    told = [form % (each + ("true" if each[0] in ring else "false",)) for each in threads]
    return ("[" + ",".join(told) + "]").encode("ascii")
