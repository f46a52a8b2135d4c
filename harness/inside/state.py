"""The state of the process that no answer shows: told after a stampede, and after the control, to be compared.

Each entry is a name and a text; addresses are left out of the texts. What differs between two controls is
volatile, and nobody's fault; what both have and a trial has not is state that the stampede left wrong. Nothing here
changes what it looks at, and nothing of the site is imported that is not there already. What cannot be told is said to
be so, in `failed` and in an entry of its own, so that nobody takes it for the same or for gone.
"""

import json
import locale
import os
import re
import signal
import sys
import time
import warnings
import weakref

PY2 = sys.version_info[0] == 2
INTEGERS = (int, long) if PY2 else (int,)  # noqa: F821
STRINGS = (str, unicode) if PY2 else (str,)  # noqa: F821
LONGEST = 2000  # characters of a text; what is longer is told by its length and a checksum
MOST = 100  # entries of an invariant
ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def loaded():
    """Names and modules, whatever else may lie in sys.modules."""
    return [(name, module) for name, module in list(sys.modules.items()) if isinstance(name, str)]


def plain(text):
    """A text as ASCII, whatever bytes or half characters are in it."""
    if not isinstance(text, STRINGS):
        text = "%s" % (text,)
    if PY2 and isinstance(text, str):
        text = text.decode("latin-1")
    return text.encode("ascii", "backslashreplace").decode("ascii")


def text_of(value):
    """A comparable text: no addresses, sets and dictionaries in order."""
    try:
        if isinstance(value, dict):
            text = "{%s}" % ", ".join(sorted("%s: %s" % (text_of(k), text_of(v)) for k, v in list(value.items())))
        elif isinstance(value, (set, frozenset)):
            text = "{%s}" % ", ".join(sorted(text_of(each) for each in value))
        elif isinstance(value, (list, tuple)):
            text = "[%s]" % ", ".join(text_of(each) for each in value)
        elif type(value).__name__ == "__proxy__":  # a lazy translation: telling it would load a catalogue
            text = "(lazy)"
        else:
            text = repr(value)
    except Exception:
        text = "(%s that cannot be told)" % type(value).__name__
    return ADDRESS.sub("#", text)


def process(found):
    with open("/proc/self/status") as stream:
        for line in stream:
            if line.startswith("Umask:"):  # read, not set and set back: other threads may be at it
                found["umask"] = line.split()[1]
    found["cwd"] = os.getcwd()
    found["time zone"] = "%s %s" % (os.environ.get("TZ"), time.tzname)
    categories = ("LC_CTYPE", "LC_NUMERIC", "LC_TIME")
    found["locale"] = text_of([locale.setlocale(getattr(locale, name)) for name in categories])
    for name, value in os.environ.items():
        if not name.startswith("HARNESS_"):  # the services of a stack differ in these
            found["environment " + name] = text_of(value)
    # Files, not the server's pipes and sockets; and which, not how many: connections and the like are one a thread, and
    # the control has fewer threads at a time.
    for each in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + each)
        except OSError:
            continue  # the one that lists them
        if target.startswith("/") and not re.search(r"/(harness-[\w-]+|harness/run)/", target):
            found["open file " + re.sub(r"\d+", "#", target)] = "open"


def threads():
    """Names of the site's own threads. Those that came in from the server are dummies to the threading module, which is
    not imported here: it would take the thread that imports it first for the main thread."""
    threading = sys.modules.get("threading")
    names = []
    for each in threading.enumerate() if threading else []:
        if type(each).__name__ == "_DummyThread":
            continue
        name = re.sub(r"\d+", "#", each.name)
        target = getattr(each, "_target", None)
        # A pool starts workers as it needs them, and one request at a time needs one: which, not how many.
        if getattr(target, "__module__", "") != "concurrent.futures.thread" or name not in names:
            names.append(name)
    return sorted(names)


def interpreter(found):
    found["threads"] = text_of(threads())
    found["sys.path"] = text_of(sys.path)
    found["warnings filters"] = text_of([(each[0], each[2].__name__) for each in warnings.filters])
    for number in range(1, 32):
        try:
            handler = signal.getsignal(number)
        except ValueError:
            continue
        if handler not in (signal.SIG_DFL, signal.SIG_IGN, None):
            found["signal handler %d" % number] = text_of(getattr(handler, "__name__", handler))
    logging = sys.modules.get("logging")
    if hasattr(logging, "Logger"):
        for name, logger in [("root", logging.root)] + list(logging.Logger.manager.loggerDict.items()):
            handlers = getattr(logger, "handlers", None)
            if handlers or name == "root":
                found["logging handlers of " + name] = text_of([type(each).__name__ for each in handlers])


def living(receivers):
    """How many receivers a signal has, without those that are gone and not yet swept up."""
    references = [each[1] for each in list(receivers)]
    return len([each for each in references if not isinstance(each, weakref.ReferenceType) or each() is not None])


def django(found):
    conf = sys.modules.get("django.conf")
    holder = getattr(getattr(conf, "settings", None), "_wrapped", None)
    if type(holder).__name__ in ("Settings", "UserSettingsHolder"):
        for name in dir(holder):
            if name.isupper():
                found["setting " + name] = text_of(getattr(holder, name))
    registry = getattr(sys.modules.get("django.apps.registry"), "apps", None)
    if registry is not None:
        found["registry"] = "ready %s" % [
            getattr(registry, name, None) for name in ("apps_ready", "models_ready", "ready")
        ]
        found["installed apps"] = text_of(list(registry.app_configs))
        found["models"] = text_of(
            sorted("%s.%s" % (app, model) for app, models in registry.all_models.items() for model in models)
        )
    for name, module in loaded():
        if name.endswith("signals") and name.startswith("django.") and module is not None:
            for attribute, value in list(vars(module).items()):
                if hasattr(value, "receivers") and hasattr(value, "connect"):
                    found["receivers of %s.%s" % (name, attribute)] = str(living(value.receivers))


def site(found, hook):
    """What the site itself has to say: a function of its own, named `module:function`, and what it returns."""
    module, _, name = hook.partition(":")
    if sys.modules.get(module) is None:
        raise LookupError("module %s, which `invariant` names, is not loaded in this process" % module)
    function = getattr(sys.modules[module], name, None)
    if not callable(function):
        raise LookupError("module %s has no function %s, which `invariant` names" % (module, name))
    value = function()
    entries = list(value.items()) if isinstance(value, dict) else [("", value)]
    if len(entries) > MOST:
        raise ValueError("%s returned %d entries: more than %d are not compared" % (hook, len(entries), MOST))
    told = {}
    for key, each in entries:
        told[("invariant %s" % plain(key)).strip()] = comparable(hook, each)
    found.update(told)


def comparable(hook, value):
    """A value of the site's invariant. A number stays one: more of something than in the control means that it was
    done too often. Anything but numbers and short texts may look the same and not be, or differ and be the same."""
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return repr(value)
    if isinstance(value, INTEGERS):
        if abs(value) >= 2 ** 63:
            raise ValueError("%s returned a number of more than 63 bits" % hook)
        return int(value)
    if isinstance(value, STRINGS):
        if len(value) > LONGEST:
            raise ValueError("%s returned a text of %d characters: more than %d are not compared"
                             % (hook, len(value), LONGEST))
        return plain(value)
    raise TypeError("%s returned a %s: only a number, or a dictionary of numbers, can be compared"
                    % (hook, type(value).__name__))


def tell(hook):
    """JSON: {"state": {name: text}, "failed": [what could not be asked]}."""
    found, failed = {}, []
    asked = [(ask.__name__, ask) for ask in (process, interpreter, django)]
    if hook:
        asked.append(("the site's invariant", lambda found: site(found, hook)))
    for name, ask in asked:
        try:
            ask(found)
        except BaseException as error:  # a hook may raise SystemExit, and this thread is to go on
            failed.append("%s: %s: %s" % (name, type(error).__name__, cut(reason(error))))
            found["not told: " + name] = failed[-1]
    state = {}
    for name, text in found.items():
        state[plain(name)] = int(text) if isinstance(text, INTEGERS) else cut(plain(text))
    return json.dumps({"state": state, "failed": failed}).encode("ascii")


def reason(error):
    for attempt in (lambda: u"%s" % (error,), lambda: "%s" % (error,), lambda: repr(error)):
        try:
            return plain(attempt())
        except Exception:
            pass
    return "(an error that cannot be told)"


def cut(text):
    if len(text) <= LONGEST:
        return text
    checksum = 0
    for char in text:
        checksum = (checksum * 31 + ord(char)) % 0xFFFFFFFF
    return "%s... (%d characters, checksum %08x)" % (text[:200], len(text), checksum)
