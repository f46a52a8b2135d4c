"""Records how a process sets itself up for a site: a development server's process, or one under mod_wsgi.

The same file serves both. In a directory on PYTHONPATH, under the name sitecustomize.py, it is run by every Python that
the development server starts, its reloader's child too; named in WSGIImportScript, it is run by mod_wsgi. Beside it lie
`plan.json` (the site's directory, the names to be looked up) and `events/`, which gets a file for each process, one
JSON object a line:

    start      when the interpreter was ready
    module     before the site's own modules are executed: name, file, and what a process is like at that moment
    called     something that the development server does before any request: checks, commands, activate, registry
    request    a request begins
    snapshot   after it was answered: what the process is like now

Each event tells its `phase`: `start`, or `request` where it happened on a thread that was answering one. Nothing here
imports Django or changes what the site sees. Python 2.7 and 3.x, standard library only.
"""

import json
import os
import sys
import time

try:
    from _thread import get_ident
except ImportError:
    from thread import get_ident

PY2 = sys.version_info[0] == 2
if PY2:
    import imp
HERE = os.path.dirname(os.path.abspath(__file__))
PLAN = json.load(open(os.path.join(HERE, "plan.json")))
ROOT = PLAN["root"] + os.sep
INSTALLED = os.sep + "site-packages" + os.sep
requests = {}  # thread -> the path that it is answering
looking = set()  # threads that take a snapshot: what that loads is none of the site's doing
kept = []  # this module: Python 2 clears the names of one that nobody holds


def quiet(function):
    """`function`, whose failures are nobody's business."""

    def quietly(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception:
            return None

    return quietly


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "%s" % (value,)


@quiet
def record(event, **details):
    thread = get_ident()
    if thread in looking and event != "snapshot":
        return
    details.update(event=event, pid=os.getpid(), thread=thread, phase="request" if thread in requests else "start")
    line = json.dumps(details, default=text) + "\n"
    name = os.path.join(HERE, "events", "%d.jsonl" % os.getpid())
    descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode("ascii"))  # one write a line: other threads write too
    finally:
        os.close(descriptor)


# -- what a process is like ------------------------------------------------------------------------------


def place(path):
    """A file of the site, as an absolute path to its source; "" for any other."""
    if not path:
        return ""
    path = os.path.realpath(text(path))
    if path.endswith((".pyc", ".pyo")):
        path = path[:-1]
    return path if path.startswith(ROOT) and INSTALLED not in path else ""


def site_modules():
    """Names and files of the site's modules that are loaded."""
    found = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    return {name: place(path) for name, path in found if place(path)}


def surroundings():
    return {
        "cwd": os.getcwd(),
        "path": [os.path.realpath(text(each)) for each in sys.path],  # "" is the working directory
        "settings": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "modules": sorted(site_modules()),
    }


def language():
    """The language that is active on this thread. Looked up where Django keeps it: asking Django would set it up."""
    active = getattr(sys.modules.get("django.utils.translation.trans_real"), "_active", None)
    if isinstance(active, dict):  # Django 1.1: by thread
        threading = sys.modules["threading"]
        active = active.get(threading.current_thread())
    else:
        active = getattr(active, "value", None)
    if active is None:
        return None
    tell = getattr(active, "to_language", None) or getattr(active, "language", None)
    return text(tell()) if tell else "no translation"


def catalogues():
    """The languages whose catalogues are loaded."""
    translation = sys.modules.get("django.utils.translation.trans_real")
    return sorted(text(each) for each in list(getattr(translation, "_translations", ())))


def find(name):
    """The file that `import name` would give in this process, or None; nothing is imported for it."""
    path, found, dotted = None, None, ""
    for part in name.split("."):
        if dotted and path is None:
            return None
        dotted = dotted + "." + part if dotted else part
        module = sys.modules.get(dotted)
        if module is not None:
            path, found = getattr(module, "__path__", None), getattr(module, "__file__", None)
        elif PY2:
            try:
                stream, found, kind = imp.find_module(part, path and list(path))
            except ImportError:
                return None
            if stream:
                stream.close()
            path = [found] if kind[2] == imp.PKG_DIRECTORY else None
        else:
            from importlib.machinery import PathFinder

            spec = PathFinder.find_spec(dotted, path)
            if spec is None:
                return None
            path, found = spec.submodule_search_locations, spec.origin
    return os.path.realpath(text(found)) if found else dotted


def string_views():
    """Views that the URLconf names by strings (until Django 1.9), and why one cannot be had: "" where it can."""
    resolvers = sys.modules.get("django.core.urlresolvers")
    found = {}

    def walk(patterns):
        for each in patterns:
            if hasattr(each, "url_patterns"):
                walk(each.url_patterns)
            elif getattr(each, "_callback_str", None):
                try:
                    found[text(each._callback_str)] = "" if each.callback else "nothing"
                except Exception as error:
                    found[text(each._callback_str)] = "%s: %s" % (type(error).__name__, error)

    if resolvers is not None:
        walk(resolvers.get_resolver(None).url_patterns)
    return found


def apps():
    registry = getattr(sys.modules.get("django.apps.registry"), "apps", None)
    if registry is not None:
        return [each.name for each in registry.app_configs.values()]
    return list(sys.modules["django.conf"].settings.INSTALLED_APPS)


def django_version():
    return sys.modules["django"].get_version()


def snapshot():
    """What the process is like once a request has been answered. Of what cannot be told, None."""
    settings = sys.modules.get(os.environ.get("DJANGO_SETTINGS_MODULE", ""))
    details = surroundings()
    details.update(
        modules=site_modules(),
        settings_file=place(getattr(settings, "__file__", "")),
        apps=quiet(apps)(),
        time_zone=os.environ.get("TZ"),
        time_names=list(time.tzname),
        found={name: quiet(find)(name) for name in PLAN["names"]},
        views=quiet(string_views)(),
        django=quiet(django_version)(),
    )
    record("snapshot", **details)


# -- requests --------------------------------------------------------------------------------------------


def request_begins(path):
    requests[get_ident()] = path
    record("request", path=path, language=quiet(language)(), catalogues=quiet(catalogues)())


def request_ends():
    thread = get_ident()
    looking.add(thread)
    try:
        if thread in requests:
            quiet(snapshot)()
    finally:
        looking.discard(thread)
        requests.pop(thread, None)


def on_event(name, **event):
    """Subscribed to mod_wsgi's events."""
    if name == "request_started":
        quiet(request_begins)(event["request_environ"].get("PATH_INFO", ""))
    elif name == "request_finished":
        quiet(request_ends)()


def handler(module):
    """The development server has no events: there its handler tells."""
    if "mod_wsgi" in sys.modules:
        return
    plain = module.WSGIHandler.__call__

    def call(self, environ, start_response):
        quiet(request_begins)(environ.get("PATH_INFO", ""))
        try:
            return plain(self, environ, start_response)
        finally:
            quiet(request_ends)()

    module.WSGIHandler.__call__ = call


# -- what the development server does before any request --------------------------------------------------


def tell(owner, attribute, what, details=lambda args, result: {}, idle=lambda args: False):
    """Let a function record that it was called, once it has returned."""
    plain = owner.__dict__.get(attribute)
    if plain is None:
        return

    def telling(*args, **kwargs):
        does_nothing = quiet(idle)(args)
        result = plain(*args, **kwargs)
        if not does_nothing:
            record("called", what=what, **(quiet(details)(args, result) or {}))
        return result

    for name in ("__name__", "__doc__", "__module__", "__qualname__", "cache_clear", "cache_info"):
        if hasattr(plain, name):
            setattr(telling, name, getattr(plain, name))
    setattr(owner, attribute, telling)


def commands(module):
    tell(module, "get_commands", "commands", lambda args, result: {"names": sorted(result)})


def validation(module):
    tell(module, "get_validation_errors", "checks")


def checks(module):
    tell(module.CheckRegistry, "run_checks", "checks")
    module.run_checks = module.registry.run_checks  # bound before


def translations(module):
    tell(module, "activate", "activate", lambda args, result: {"language": text(args[0])})


def registry(module):
    # Migrations make registries of their own.
    tell(module.Apps, "populate", "registry", idle=lambda args: args[0] is not module.apps or module.apps.ready)


def app_cache(module):
    tell(module.AppCache, "_populate", "registry", idle=lambda args: args[0].loaded)


PATCHES = {
    "django.core.handlers.wsgi": handler,
    "django.core.management": commands,
    "django.core.management.validation": validation,
    "django.core.checks.registry": checks,
    "django.utils.translation.trans_real": translations,
    "django.apps.registry": registry,
    "django.db.models.loading": app_cache,
}


# -- module executions -----------------------------------------------------------------------------------


@quiet
def before(name, path):
    if place(path):
        record("module", name=name, file=place(path), **surroundings())


def after(name, module):
    if name in PATCHES:
        quiet(PATCHES[name])(module)


def watch():
    """Python 3: the loaders tell."""
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader

    def watched(plain):
        def exec_module(self, module):
            before(module.__name__, self.path)
            plain(self, module)
            after(module.__name__, module)

        return exec_module

    for loader in (SourceFileLoader, SourcelessFileLoader):
        loader.exec_module = watched(loader.exec_module)


class Finder2(object):
    """Python 2 has no loader to wrap: of the modules that matter, this is the loader, and does what Python does."""

    def find_module(self, name, path=None):
        try:
            stream, found, kind = imp.find_module(name.rpartition(".")[2], path and list(path))
        except Exception:  # built in, in an archive, or not there: Python's own business
            return None
        if kind[2] in (imp.PY_SOURCE, imp.PY_COMPILED, imp.PKG_DIRECTORY) and (name in PATCHES or quiet(place)(found)):
            return Loader2(stream, found, kind)
        if stream:
            stream.close()
        return None


class Loader2(object):
    def __init__(self, *found):
        self._found = found

    def load_module(self, name):
        stream, found, kind = self._found
        try:
            before(name, os.path.join(found, "__init__.py") if kind[2] == imp.PKG_DIRECTORY else found)
            module = imp.load_module(name, stream, found, kind)
        finally:
            if stream:
                stream.close()
        after(name, module)
        return module


def stand_aside():
    """As sitecustomize: leave sys.path, and let the one that this hides have its turn."""
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != HERE]
    kept.append(sys.modules.pop("sitecustomize", None))
    try:
        __import__("sitecustomize")
    except ImportError:
        sys.modules["sitecustomize"] = kept[0]


def install():
    # Python 2 finds a codec by importing it, and the finder needs one to look at an import. Once found, it is kept.
    b"".decode("utf-8")
    u"".encode("ascii")
    if PY2:
        sys.meta_path.insert(0, Finder2())
    else:
        watch()
    if __name__.startswith("_mod_wsgi_"):
        import mod_wsgi

        mod_wsgi.subscribe_events(on_event)
    else:
        stand_aside()
    record("start", argv=list(getattr(sys, "argv", ())), cwd=os.getcwd())


try:
    install()
except Exception as error:
    sys.stderr.write("harness parity: not installed: %r\n" % (error,))
