"""The state of the process that no answer shows: told after a stampede, and after the control, to be compared.

Each entry is a name and a text; addresses are left out of the texts. What differs between two controls is
volatile, and nobody's fault; what both have and a trial has not is state that the stampede left wrong. Nothing here
changes what it looks at, and nothing of the site is imported that is not there already.
"""

import json
import locale
import logging
import os
import re
import signal
import sys
import threading
import time
import warnings

PY2 = sys.version_info[0] == 2
LONGEST = 2000  # characters of a text; what is longer is told by its length and a checksum
ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


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
        if target.startswith("/") and not re.search(r"/(harness-\w+|harness/run)/", target):
            found["open file " + re.sub(r"\d+", "#", target)] = "open"


def interpreter(found):
    # Threads of the site's own; those that came in from the server are dummies to this module.
    names = [each.name for each in threading.enumerate() if type(each).__name__ != "_DummyThread"]
    found["threads"] = text_of(sorted(re.sub(r"\d+", "#", name) for name in names))
    found["sys.path"] = text_of(sys.path)
    found["warnings filters"] = text_of([(each[0], each[2].__name__) for each in warnings.filters])
    for number in range(1, 32):
        try:
            handler = signal.getsignal(number)
        except ValueError:
            continue
        if handler not in (signal.SIG_DFL, signal.SIG_IGN, None):
            found["signal handler %d" % number] = text_of(getattr(handler, "__name__", handler))
    root = logging.getLogger()
    for name, logger in [("root", root)] + sorted(logging.Logger.manager.loggerDict.items()):
        handlers = getattr(logger, "handlers", None)
        if handlers or name == "root":
            found["logging handlers of " + name] = text_of([type(each).__name__ for each in handlers])


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
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        if isinstance(name, str) and name.endswith("signals") and name.startswith("django."):
            for attribute, value in sorted(vars(module).items()):
                if hasattr(value, "receivers") and hasattr(value, "connect"):
                    found["receivers of %s.%s" % (name, attribute)] = str(len(value.receivers))


def site(found, hook):
    """What the site itself has to say: a function of its own, named `module:function`, and what it returns."""
    module, _, name = hook.partition(":")
    if module not in sys.modules:
        raise LookupError("module %s, which `invariant` names, is not loaded in this process" % module)
    value = getattr(sys.modules[module], name)()
    for key, each in value.items() if isinstance(value, dict) else [("", value)]:
        # A number stays one: more of something than in the control means that it was done too often.
        number = isinstance(each, int) and not isinstance(each, bool)
        found[("invariant %s" % key).strip()] = each if number else text_of(each)


def tell(hook):
    """JSON: {"state": {name: text}, "failed": [what could not be asked]}."""
    found, failed = {}, []
    asked = [process, interpreter, django] + ([lambda found: site(found, hook)] if hook else [])
    for ask in asked:
        try:
            ask(found)
        except Exception as error:
            name = "the site's invariant" if ask is asked[-1] and hook else ask.__name__
            failed.append("%s: %s: %s" % (name, type(error).__name__, error))
    for name, text in found.items():
        if not isinstance(text, int) and len(text) > LONGEST:
            checksum = 0
            for char in text:
                checksum = (checksum * 31 + ord(char)) % 0xFFFFFFFF
            found[name] = "%s... (%d characters, checksum %08x)" % (text[:200], len(text), checksum)
    return json.dumps({"state": found, "failed": failed}).encode("ascii")
