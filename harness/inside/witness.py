"""What is seen where a request fails: the traceback to its end, what it leads to, and what other threads are doing.

Loaded and run by the probe when a process fails for the first time, and never before: nothing is paid while nothing
fails. Later failures are often consequences of the first. The exception has left the view by then, 0.1 to 0.4 ms after
it was raised; nearly all threads still stand where they stood.

What the failure leads to is found mechanically, the first that fits:

    "module"    a module that is still being executed: the AttributeError or ImportError names it
    "object"    something in a variable of the failing function that hangs from a name of a module
    "code"      that function: the innermost frame outside the standard library

Nothing of the site's is called: attributes are read past descriptors and `__getattr__`, lazy objects stay lazy.
Python 2.7 and 3.x, standard library only.
"""

import os
import re
import sys
import time

MOST_FRAMES = 40  # of a traceback: the innermost; more is recursion
MOST_STACK = 6  # frames of another thread, beside its innermost one: those outside the standard library
MOST_THREADS = 30
MOST_TEXT = 24000  # characters in all: a piece of the recording has 64 KiB, and a line must fit into one
SEARCH_SECONDS = 0.05  # for the name that an object hangs from
DEPTH = 3  # attributes between the name and the object
LIBRARY = os.path.dirname(os.path.abspath(os.__file__))
ELSEWHERE = ("site-packages", "dist-packages")
HALF_DONE = re.compile(r"partially initialized module '([\w.]+)'")
NAMED = re.compile(r"cannot import name '?\w+'? from '?([\w.]+)'?|module '?([\w.]+)'? has no attribute")
Module = type(sys)
# What hangs from many names, or from none that says anything.
PLAIN = (type(None), bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, type, Module)
now = getattr(time, "monotonic", time.time)


def is_library(path):
    """Does a file belong to the standard library, or to no file at all?"""
    return path.startswith("<") or (path.startswith(LIBRARY + os.sep) and not any(part in path for part in ELSEWHERE))


def module_of(frame):
    """The name by which a frame's module is known; of a WSGI script its file's."""
    name = frame.f_globals.get("__name__")
    if type(name) is not str or not name or name.startswith("_mod_wsgi_"):
        return os.path.basename(frame.f_code.co_filename)
    return name


def place(frame, line):
    return (frame.f_code.co_filename, line or 0, frame.f_code.co_name, module_of(frame))


def origin(exc_info):
    """The exception that the others were raised from, and its traceback. Never `__context__`: that came before it."""
    error, trace = exc_info[1], exc_info[2]
    for _ in range(10):
        cause = getattr(error, "__cause__", None)
        if getattr(cause, "__traceback__", None) is None:  # Python 2 has neither
            break
        error, trace = cause, cause.__traceback__
    return error, trace


def frames_of(trace, ours):
    """(frame, line) of a traceback, outermost first, without the harness's own."""
    frames = []
    while trace is not None:
        if not is_ours(trace.tb_frame, ours):
            frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames[-MOST_FRAMES:]


def is_ours(frame, ours):
    return frame.f_globals is ours or str(frame.f_globals.get("__name__", "")).startswith("_harness_")


# -- what the failure leads to -------------------------------------------------------------------------------


def is_initialising(module):
    spec = getattr(module, "__dict__", {}).get("__spec__")
    return getattr(spec, "_initializing", False) is True


def half_done_module(error):
    """The name of a module that is still being executed, if the error leads to one; "" otherwise."""
    if not isinstance(error, (AttributeError, ImportError)):
        return ""
    text = " ".join(part for part in error.args if type(part) is str)
    match = HALF_DONE.search(text)
    if match:
        return match.group(1)
    subject = getattr(error, "obj", None)
    if type(subject) is Module and is_initialising(subject):
        return subject.__name__
    named = getattr(error, "name", None) if isinstance(error, ImportError) else None
    match = NAMED.search(text)
    for name in (named, match and (match.group(1) or match.group(2))):
        if name and is_initialising(sys.modules.get(name)):
            return name
    return ""


def attributes(thing):
    """Names and values of an object's own attributes. Nothing of its class is run."""
    try:
        own = object.__getattribute__(thing, "__dict__")
        return list(own.items()) if type(own) is dict else []
    except Exception:
        return []


def is_plain(thing):
    """Is it nothing that threads could meet half made? Also an object without attributes of its own: a marker."""
    kind = type(thing)
    if issubclass(kind, PLAIN) or kind.__module__ in ("builtins", "__builtin__", "types", "functools", "_abc"):
        return True
    return not attributes(thing)


def name_of_local(frame, package):
    """The module-level name that something in a variable of this frame hangs from; "" if there is none."""
    held = {id(value) for value in list(frame.f_locals.values()) if not is_plain(value)}
    deadline = now() + SEARCH_SECONDS
    near = module_of(frame)
    modules = list(sys.modules.items()) if held else []  # at once: other threads import
    for name, module in sorted(modules, key=lambda item: (item[0] != near, item[0])):
        if type(module) is not Module or name.partition(".")[0] != package:
            continue
        named = [(key, value) for key, value in list(vars(module).items()) if key[:2] != "__"]
        level = [(name + "." + key, value) for key, value in named if not is_plain(value)]
        seen = set()
        for depth in range(DEPTH + 1):
            further = []
            for path, value in level:
                if id(value) in held:
                    return path
                if id(value) in seen or depth == DEPTH:
                    continue
                seen.add(id(value))
                further += [(path + "." + key, inner) for key, inner in attributes(value) if not is_plain(inner)]
            if now() > deadline:
                return ""
            level = further
    return ""


def lead(error, frames):
    """(kind, name, place, through): what the failure leads to; None where all of it is the standard library's."""
    outside = [(frame, line) for frame, line in frames if not is_library(frame.f_code.co_filename)]
    name = half_done_module(error)
    if not outside:
        return None
    frame, line = outside[-1]
    package = module_of(frame).partition(".")[0]
    others = [module_of(outer) for outer, _ in outside[:-1] if module_of(outer).partition(".")[0] != package]
    through = others[-1] if others else ""
    if name:
        return "module", name, place(frame, line), through
    name = name_of_local(frame, package)
    if name:
        return "object", name, place(frame, line), through
    return "code", module_of(frame), place(frame, line), through


# -- other threads -------------------------------------------------------------------------------------------


def stacks(ours):
    """(thread, places) of the other threads, innermost first: the nearest frames, and modules under execution."""
    own = sys._getframe()
    found = []
    for thread, frame in list(sys._current_frames().items()):
        places = []
        while frame is not None and frame is not own:
            path, known = frame.f_code.co_filename, len(places)
            if not is_ours(frame, ours) and not path.startswith("<"):
                outside = known <= MOST_STACK and not is_library(path)
                if not known or outside or frame.f_code.co_name == "<module>":
                    places.append(place(frame, frame.f_lineno))
            frame = frame.f_back
        if places and frame is None:
            found.append((thread, places))
    return found[:MOST_THREADS]


def install(exc_info, quote, ours):
    """What is seen, as JSON: {"error", "lead", "frames", "threads"}. `quote` makes a JSON string."""
    error, trace = origin(exc_info)
    threads = stacks(ours)  # at once, before anything else takes time
    frames = frames_of(trace, ours)
    left = [MOST_TEXT]

    def listed(values):
        return "[" + ",".join(values) + "]"

    def shown(value):
        text = listed([quote(value[0]), str(value[1]), quote(value[2]), quote(value[3])])
        left[0] -= len(text)
        return text if left[0] > 0 else None

    try:
        leads_to = lead(error, frames)
    except Exception:
        leads_to = None
    text = "null"
    if leads_to is not None:
        kind, name, where, through = leads_to
        text = listed([quote(kind), quote(name), shown(where), quote(through)])
    traced = [part for part in (shown(place(frame, line)) for frame, line in reversed(frames)) if part]
    others = []
    for thread, places in threads:
        parts = [part for part in map(shown, places) if part]
        if parts:
            others.append(listed([str(thread), listed(parts)]))
    kind = quote(type(error).__name__)
    return '{"error":%s,"lead":%s,"frames":%s,"threads":%s}' % (kind, text, listed(traced), listed(others))
