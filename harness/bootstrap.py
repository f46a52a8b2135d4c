"""The WSGI entry point of a Django site that is hosted by threads: everything is set up before the first request.

    from harness_bootstrap import get_application
    application = get_application("/srv/mysite")

The development server loads settings, models, URLconf and language on one thread before it takes a request. Under
mod_wsgi all that is left to the first requests, where threads meet it half done. `get_application` is given the
directory of the site, and does it all while the script is imported, on the one thread that imports it.

A start that fails never leaves a half-built process serving. In a daemon process of mod_wsgi the requests are answered
with 503 until the process has ended itself, and Apache starts a fresh one. In embedded mode they are answered with 503,
and the start goes on from the step that failed, unless that would enter a half-built registry of apps.

One file, standard library only, Python 2.7 and 3.6 or newer, Django 1.1 or newer. It may be copied.
"""

import codecs
import gc
import io
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import namedtuple

try:
    from urllib.parse import unquote
except ImportError:
    from urllib import unquote

__all__ = ["BootstrapError", "get_application"]

now = getattr(time, "perf_counter", time.time)
NAME = "DJANGO_SETTINGS_MODULE"
IN_MANAGE_PY = re.compile(r"os\.environ(?:\.setdefault\(|\[)\s*['\"]%s['\"]\s*(?:,|\]\s*=)\s*['\"]([\w.]+)['\"]" % NAME)
GRACEFUL_SECONDS = 30.0  # that requests in flight are given when a process ends; mod_wsgi's own default is 15
TEMPLATES_AT_MOST = 500  # of the site's own, that are compiled beforehand
# What Django itself imports inside functions: template filters, error pages, mail.
LATE = (
    "django.conf.locale",
    "django.core.mail",
    "django.utils.dateformat",
    "django.utils.html",
    "django.utils.http",
    "django.utils.text",
    "django.utils.timesince",
    "django.views.debug",
)
# Python imports a codec when it is first used: for paths, headers, addresses.
CODECS = ("ascii", "latin-1", "utf-8", "idna", "punycode", "unicode_escape")
# The same of apps of Django's own, where they are installed.
LATE_OF_APPS = {"django.contrib.admin": ("django.contrib.admin.forms",)}
NOBODY = "-bootstrap-"  # a name that no template, view or URL has


class BootstrapError(Exception):
    """The site cannot be started: what is wrong, where, and how to mend it, in one sentence."""


# Where a site is: its directory, the dotted name of its settings, and the directory that must be on sys.path for the
# moment in which the site's package is imported (None: no other than the site's own).
Site = namedtuple("Site", "directory settings parent")
# What get_application was asked for.
Options = namedtuple("Options", "warm warm_failure checks skip imports languages budget log retry_after end_process")
# One step of a start: outcome is "done", "off", "over budget", or why it failed; megabytes is how much the resident
# memory grew, None where the system does not tell.
Step = namedtuple("Step", "name seconds outcome megabytes")


# -- where the site is ---------------------------------------------------------------------------------------


def find_site(directory, settings=None):
    """The site in a directory, as its manage.py names it; `settings` settles which of several settings.

    Two layouts: a manage.py that names the settings, and that of 2010: settings.py beside manage.py, in a directory
    that is the package. Raises BootstrapError.
    """
    directory = os.path.realpath(str(directory))
    if not os.path.isdir(directory):
        what = "is a file" if os.path.isfile(directory) else "does not exist"
        raise BootstrapError("%s %s: name the directory that holds manage.py" % (directory, what))
    beside = os.path.isfile(os.path.join(directory, "settings.py"))
    chosen = settings or _chosen_by_environment(directory, beside) or _only(directory, beside)
    top = chosen.partition(".")[0]
    is_package = top == os.path.basename(directory) and not _lies_in(directory, top)
    if is_package and not os.path.isfile(os.path.join(directory, "__init__.py")):
        raise BootstrapError(
            "%s: settings.py lies beside manage.py, so this directory is the package %s: it needs an "
            "__init__.py" % (directory, top)
        )
    return Site(directory, chosen, os.path.dirname(directory) if is_package else None)


def _lies_in(directory, name):
    """Is a module or package of that name in the directory?"""
    return os.path.isfile(os.path.join(directory, name + ".py")) or os.path.isdir(os.path.join(directory, name))


def _chosen_by_environment(directory, beside):
    """manage.py leaves a name that is in the environment; but another site's may have been left there."""
    name = os.environ.get(NAME, "")
    top = name.partition(".")[0]
    if top and (_lies_in(directory, top) or (beside and top == os.path.basename(directory))):
        return name
    return None


def _only(directory, beside):
    manage = os.path.join(directory, "manage.py")
    names = []
    if os.path.isfile(manage):
        with io.open(manage, encoding="utf-8", errors="replace") as stream:
            source = re.sub(r"(?m)^\s*#.*$", "", stream.read())
        names = sorted(set(IN_MANAGE_PY.findall(source)))
        where = "manage.py names"
    if not names and beside:
        name = os.path.basename(directory)
        if not re.match(r"[A-Za-z_]\w*$", name):
            raise BootstrapError(
                "%s: settings.py lies beside manage.py, so this directory is the site's package, but "
                '%r is no name of a package: rename it, or say settings="settings"' % (directory, name)
            )
        return str(name) + ".settings"
    if not names:
        where = "there are"
        for each in sorted(os.listdir(directory)):
            path = os.path.join(directory, each, "settings")
            if os.path.isfile(path + ".py") or os.path.isfile(os.path.join(path, "__init__.py")):
                names.append(each + ".settings")
    if not names and os.environ.get(NAME):
        return os.environ[NAME]  # nothing here names other settings, and the script has set these
    if not names:
        raise BootstrapError(
            "%s is no Django site: it has neither a manage.py that names the settings nor a "
            'settings.py: name the directory that holds manage.py, or say settings="..."' % directory
        )
    if len(names) > 1:
        raise BootstrapError(
            '%s: %s several settings (%s): say which, settings="%s"' % (directory, where, ", ".join(names), names[0])
        )
    return str(names[0])


def set_path(site):
    """The site's directory comes first on sys.path, as under manage.py. What would give a module two names goes."""
    package = os.path.join(site.directory, site.settings.partition(".")[0])
    gone = {"", os.curdir, site.directory}
    if site.parent is None and os.path.isfile(os.path.join(package, "__init__.py")):
        gone.add(package)
    kept = [each for each in sys.path if each not in gone and os.path.realpath(each) not in gone]
    sys.path[:] = [site.directory] + kept


# -- the steps -----------------------------------------------------------------------------------------------
# Each is given the start. Each looks for what the Django at hand has, and passes over what it has not.


def _module(name):
    """A module of Django's, or None where this Django has none of that name."""
    try:
        __import__(name)
    except ImportError:
        return None
    return sys.modules[name]


def _first(*names):
    """The first of these attributes ("module:name") that this Django has, or None."""
    for name in names:
        module, _, attribute = name.partition(":")
        found = getattr(_module(module), attribute, None)
        if found is not None:
            return found
    return None


def _settings():
    from django.conf import settings

    return settings


def load_settings(start):
    """The settings, loaded once, under one name."""
    site = start.site
    _import_package(site)
    settings = _settings()
    known = getattr(settings, "SETTINGS_MODULE", None) if settings.configured else site.settings
    if known != site.settings:
        raise BootstrapError(
            "this interpreter is already configured with %s: one interpreter serves one site; give %s "
            "a WSGIApplicationGroup or a WSGIDaemonProcess of its own"
            % (known or "settings.configure()", site.directory)
        )
    os.environ[NAME] = site.settings
    try:
        __import__(site.settings)
    except BaseException:
        raise BootstrapError("the settings %s of %s do not import: %s" % (site.settings, site.directory, _cause()))
    settings.INSTALLED_APPS  # builds them


def _import_package(site):
    """The site's package; in the layout of 2010 its parent is on sys.path for this moment."""
    if site.parent is None:
        return
    top = site.settings.partition(".")[0]
    sys.path.insert(0, site.parent)
    try:
        __import__(top)
    finally:
        sys.path.remove(site.parent)
    there = os.path.realpath(os.path.dirname(getattr(sys.modules[top], "__file__", None) or ""))
    if there != site.directory:
        raise BootstrapError(
            "the name of the package %s is taken by %s: rename the directory, or give this site an "
            "interpreter of its own" % (site.directory, there or "a built-in module")
        )


def load_apps(start):
    """Logging, app registry and models; and of each model the tables that are filled when they are first asked for."""
    setup = _first("django:setup")
    start.registry = "begun"
    if setup is not None:
        code = getattr(setup, "__code__", None)
        # A prefix would be this thread's, and stay.
        setup(**({"set_prefix": False} if code and "set_prefix" in code.co_varnames else {}))
    registry = _first("django.apps:apps") or _module("django.db.models.loading")
    models = list(registry.get_models())
    start.registry = "whole"
    for model in models:
        for name in ("get_fields", "get_all_field_names", "get_all_related_objects"):
            asked = getattr(model._meta, name, None)
            if asked is not None:
                asked()
                break


def list_commands(start):
    """The management commands: the development server lists them, which loads packages of apps."""
    get_commands = _first("django.core.management:get_commands")
    if get_commands is not None:
        get_commands()


def run_checks(start):
    """The system checks; before Django 1.7 the validation of models."""
    if start.options.checks == "off":
        return
    run = _first("django.core.checks:run_checks")
    if run is not None:
        found = [each for each in run() if each.is_serious() and not each.is_silenced()]
        text = "\n".join(str(each) for each in found)
    else:
        validate = _first("django.core.management.validation:get_validation_errors")
        out = io.BytesIO() if str is bytes else io.StringIO()
        text = out.getvalue() if validate is not None and validate(out) else ""
    if text:
        if start.options.checks == "refuse":
            raise BootstrapError("the checks found errors:\n%s" % text.strip())
        start.note("the checks found errors:\n%s" % text.strip())


def languages_of(start):
    """The languages that the site names: LANGUAGE_CODE, LANGUAGES if it has a list of its own, and `languages=`.

    Django's own list has about a hundred: their catalogues and tables take seconds and hundreds of megabytes. A visitor
    who wants one that the site does not name waits for it, as without this file.
    """
    settings = _settings()
    chosen = [settings.LANGUAGE_CODE] + list(start.options.languages)
    from django.conf import global_settings

    if settings.USE_I18N and list(settings.LANGUAGES) != list(global_settings.LANGUAGES):
        chosen += [code for code, _ in settings.LANGUAGES]
    return [code for number, code in enumerate(chosen) if code not in chosen[:number]]


class _Languages(object):
    """Languages in turn, as many as the budget allows, active on this thread, which has its own back afterwards."""

    def __init__(self, start):
        self.codes = start.affordable(languages_of(start), "language")

    def __iter__(self):
        translation = _module("django.utils.translation")
        try:
            for code in self.codes:
                translation.activate(code)
                yield code
        finally:
            translation.deactivate()


def load_languages(start):
    """Catalogues and formats of the languages that the site names."""
    translation = _module("django.utils.translation")
    gettext = getattr(translation, "gettext", None)
    formats = _module("django.utils.formats")
    names = getattr(formats, "FORMAT_SETTINGS", ())
    for code in _Languages(start):
        gettext("Yes")
        for name in names:
            formats.get_format(name)
        info = getattr(translation, "get_language_info", None)
        try:
            info and info(code)
        except KeyError:
            pass  # Django has no name for it
    gettext("Yes")  # of no active language: the default one
    translation.get_language()


def load_time_zone(start):
    """The time zone; and strptime, which imports what it needs when it is first called."""
    __import__("_strptime")
    zone = _module("django.utils.timezone")
    for name in ("get_default_timezone", "get_current_timezone", "get_current_timezone_name", "now"):
        if hasattr(zone, name):
            getattr(zone, name)()


def resolvers():
    """The resolvers that requests and reverse() use: they are kept by how they are asked for."""
    get_resolver = _first("django.urls:get_resolver", "django.core.urlresolvers:get_resolver")
    found = []
    for arguments in ((), (None,), (_settings().ROOT_URLCONF,)):
        try:
            resolver = get_resolver(*arguments)
        except TypeError:  # an old one wants an argument
            continue
        if not any(each is resolver for each in found):
            found.append(resolver)
    return found


def _walk(resolver, space=""):
    """Every pattern below a resolver, each with the namespace that it opens, or None."""
    for pattern in resolver.url_patterns:
        # By its type: to ask the pattern itself would import what it includes, and Python 2 hides how that fails.
        if hasattr(type(pattern), "url_patterns"):
            own = getattr(pattern, "namespace", None)
            yield pattern, space + own if own else None
            for each in _walk(pattern, space + own + ":" if own else space):
                yield each
        else:
            yield pattern, None


def load_urlconf(start):
    """The URLconf, and all its views: also those that it names in strings."""
    for resolver in resolvers():
        for pattern, _ in _walk(resolver):
            if not hasattr(type(pattern), "url_patterns"):
                try:
                    pattern.callback
                except Exception:  # one bad view: the others are well
                    start.note("a view cannot be loaded: %s" % _cause())
        for code in ("400", "403", "404", "500"):
            for name, argument in (("resolve_error_handler", int(code)), ("_resolve_special", code)):
                resolve = getattr(resolver, name, None)
                if resolve is not None:
                    try:
                        resolve(argument)
                    except AttributeError:
                        pass  # an old URLconf that has none
                    except Exception:
                        start.note("the handler of status %s cannot be loaded: %s" % (code, _cause()))
                    break


def load_tables(start):
    """The tables by which URLs are resolved and reversed, of every language and every namespace."""
    reverse = _first("django.urls:reverse", "django.core.urlresolvers:reverse")
    for _ in _Languages(start):
        spaces = []
        for resolver in resolvers():
            _fill(resolver)
            for pattern, space in _walk(resolver):
                _fill(pattern)
                if space:
                    spaces.append(space)
        for space in dict.fromkeys(spaces):
            try:
                reverse("%s:%s" % (space, NOBODY))
            except Exception:  # there is no such name; but now there are the tables
                pass


def _fill(pattern):
    getattr(getattr(pattern, "pattern", pattern), "regex", None)
    for table in ("reverse_dict", "namespace_dict", "app_dict"):
        getattr(pattern, table, None)


def discover_admin(start):
    """The apps' admin modules. Since Django 1.7 the registry does that."""
    if _first("django:setup") is None and "django.contrib.admin" in _settings().INSTALLED_APPS:
        _module("django.contrib.admin").autodiscover()


def load_late(start):
    """What is imported when it is first needed: what settings name, and what Django imports inside functions."""
    settings = _settings()
    for name in LATE:
        _module(name)
    for app, names in LATE_OF_APPS.items():
        for name in names if app in settings.INSTALLED_APPS else ():
            _module(name)
    for name in CODECS:
        codecs.lookup(name)
    single = (
        "SESSION_ENGINE",
        "SESSION_SERIALIZER",
        "MESSAGE_STORAGE",
        "EMAIL_BACKEND",
        "CSRF_FAILURE_VIEW",
        "FORM_RENDERER",
        "DEFAULT_EXCEPTION_REPORTER",
        "DEFAULT_EXCEPTION_REPORTER_FILTER",
        "SIGNING_BACKEND",
    )
    several = ("AUTHENTICATION_BACKENDS", "PASSWORD_HASHERS", "FILE_UPLOAD_HANDLERS")
    named = [getattr(settings, each, None) for each in single]
    for each in several:
        named += getattr(settings, each, None) or ()
    for name in named:
        if isinstance(name, str):
            # A hasher may want a library, a backend an app that is not there: no matter until it is used.
            try:
                _module(name) or _module(name.rpartition(".")[0])
            except Exception:
                pass
    if "django.contrib.auth" in settings.INSTALLED_APPS:
        for name in ("get_user_model", "get_backends"):
            asked = _first("django.contrib.auth:" + name)
            if asked is not None:
                asked()
    renderer = _first("django.forms.renderers:get_default_renderer")
    if renderer is not None:
        getattr(renderer(), "engine", None)


def load_middleware(start):
    """The handler with its middleware."""
    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()
    if getattr(handler, "_request_middleware", True) is None:  # before Django 1.10: with the first request
        handler.load_middleware()
    start.handler = handler


def load_templates(start):
    """Template engines, loaders, tag libraries and context processors; and the site's own templates, compiled."""
    engines = _first("django.template:engines")
    if engines is not None:
        for backend in engines.all():
            engine = getattr(backend, "engine", None)
            if engine is not None:
                engine.template_context_processors
                loaders = list(engine.template_loaders)
                for each in loaders:
                    loaders += getattr(each, "loaders", ())
                asked = [getattr(each, "get_dirs", None) for each in loaders]
                _compile(start, engine.get_template, [path for each in asked if each for path in each()])
        return
    loader = _module("django.template.loader")
    find = getattr(loader, "find_template", None) or loader.find_template_source
    try:
        find(NOBODY)
    except _first("django.template:TemplateDoesNotExist"):
        pass
    processors = _first("django.template.context:get_standard_processors")
    if processors is not None:
        processors()
    by_app = getattr(_module("django.template.loaders.app_directories"), "app_template_dirs", ())
    _compile(start, loader.get_template, list(_settings().TEMPLATE_DIRS) + list(by_app))


def _compile(start, get_template, directories):
    here = os.path.join(start.site.directory, "")
    names = []
    for directory in directories:
        directory = os.path.realpath(str(directory))
        for top, _, files in os.walk(directory) if directory.startswith(here) else ():
            names += [os.path.relpath(os.path.join(top, each), directory) for each in files]
    for name in start.affordable(names[:TEMPLATES_AT_MOST], "template"):
        try:
            get_template(name)
        except Exception:
            start.note("the template %s cannot be loaded: %s" % (name, _cause()))


def load_storages(start):
    """Storages of static and uploaded files."""
    if "django.contrib.staticfiles" in _settings().INSTALLED_APPS:
        storage = _first("django.contrib.staticfiles.storage:staticfiles_storage")
        getattr(storage, "url", None)  # any attribute makes it
    getattr(_first("django.core.files.storage:default_storage"), "url", None)


def load_caches(start):
    """Cache backends. Connections are made when they are used."""
    caches = _first("django.core.cache:caches")
    if caches is not None:
        for alias in _settings().CACHES:
            caches[alias]
    else:
        _module("django.core.cache")


def load_databases(start):
    """Database backends, without a connection."""
    for connection in _connections():
        compiler = getattr(connection.ops, "compiler", None)
        if compiler is not None:
            compiler("SQLCompiler")


def _connections():
    database = _module("django.db")
    if hasattr(database, "connections"):
        return list(database.connections.all())
    return [database.connection] if hasattr(database, "connection") else []


def load_imports(start):
    """Modules that views import inside their functions, as the script names them."""
    for name in start.options.imports:
        __import__(name)


def warm_up(start):
    """Requests through the application itself."""
    settings = _settings()
    hosts = [each for each in getattr(settings, "ALLOWED_HOSTS", ()) or () if each != "*"]
    host = hosts[0].lstrip(".") if hosts else "localhost"
    scheme = "https" if getattr(settings, "SECURE_SSL_REDIRECT", False) else "http"
    for each in start.options.warm:
        path, extra = (each, {}) if isinstance(each, str) else each
        begin = now()
        try:
            status = ask(start.handler, path, host, scheme, extra)
            failed = status >= 500
        except Exception:
            status, failed = _cause(), True
        start.report.warm.append((path, status, now() - begin))
        if failed:
            text = "the warm-up request %s failed: %s" % (path, status)
            if start.options.warm_failure == "refuse":
                raise BootstrapError(text)
            start.note(text)


def ask(application, path, host="localhost", scheme="http", extra=None):
    """The status of the application's answer to GET `path`; `extra` goes into its environ."""
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path) if str is bytes else unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": "443" if scheme == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": "harness-bootstrap",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scheme == "https":
        environ["HTTPS"] = "on"
    environ.update(extra or {})
    statuses = []

    def start_response(status, headers, exc_info=None):
        statuses.append(status)
        return lambda data: None

    body = application(environ, start_response)
    try:
        for _ in body:
            pass
    finally:
        if hasattr(body, "close"):
            body.close()
    return int(statuses[-1].split()[0])


def settle(start):
    """Take away what must not stay: connections, for a fork may follow; and what was this thread's alone."""
    opened = [each for each in _connections() if getattr(each, "connection", None) is not None]
    for each in opened:
        each.close()
    start.report.connections_closed = len(opened)
    for name in (
        "django.utils.translation:deactivate",
        "django.utils.timezone:deactivate",
        "django.urls:clear_script_prefix",
        "django.core.cache:close_caches",
    ):
        undo = _first(name)
        if undo is not None:
            undo()
    set_urlconf = _first("django.urls:set_urlconf", "django.core.urlresolvers:set_urlconf")
    if set_urlconf is not None:
        set_urlconf(None)


def keep_from_collector(start):
    """What is there now stays, so that no request looks through all of it for garbage, while it is waited for.

    While the start runs none is looked for either. Before Python 3.7 it is looked for once, here.
    """
    getattr(gc, "freeze", gc.collect)()


Kind = namedtuple("Kind", "name run needed")
STEPS = (
    # needed: "always" cannot be switched off; "to serve": a start that fails there has failed; "": it is noted.
    Kind("settings", load_settings, "always"),
    Kind("apps", load_apps, "always"),
    Kind("commands", list_commands, ""),
    Kind("checks", run_checks, "to serve"),
    Kind("languages", load_languages, ""),
    Kind("time zone", load_time_zone, ""),
    Kind("urlconf", load_urlconf, "to serve"),
    Kind("admin", discover_admin, "to serve"),
    Kind("late", load_late, ""),
    Kind("middleware", load_middleware, "always"),
    Kind("templates", load_templates, ""),
    Kind("storages", load_storages, ""),
    Kind("caches", load_caches, ""),
    Kind("databases", load_databases, ""),
    Kind("imports", load_imports, "to serve"),
    Kind("tables", load_tables, ""),
    Kind("warm", warm_up, "to serve"),
    Kind("settle", settle, "always"),
    Kind("garbage", keep_from_collector, ""),
)


# -- a start -------------------------------------------------------------------------------------------------


def _cause():
    """The exception at hand, and the line of code it comes from."""
    kind, value, trace = sys.exc_info()
    if kind is BootstrapError:
        return str(value)
    text = "".join(traceback.format_exception_only(kind, value)).strip()
    frames = [each for each in traceback.extract_tb(trace) if "importlib" not in each[0] and each[0] != __file__]
    if not frames or issubclass(kind, SyntaxError):
        return text
    return "%s (%s, line %s)" % (text, frames[-1][0], frames[-1][1])


def _process_group():
    """The name of mod_wsgi's daemon process group; "" in embedded mode; None where there is no mod_wsgi."""
    return getattr(sys.modules.get("mod_wsgi"), "process_group", None)


class Report(object):
    """What a start did: `steps`, each with its seconds; `notes` of what was not as it should be; and the rest."""

    def __init__(self, site):
        self.site = site
        self.steps = []
        self.notes = []
        self.warm = []  # (path, status, seconds)
        self.threads = []  # names of threads that the site started meanwhile: none of them survives a fork
        self.connections_closed = 0
        self.failed = ""

    @property
    def seconds(self):
        """What all steps took."""
        return sum(each.seconds for each in self.steps)

    @property
    def megabytes(self):
        """How much all steps made the resident memory grow; None where the system does not tell."""
        grown = [each.megabytes for each in self.steps]
        return None if None in grown else sum(grown)

    def as_dict(self):
        """Plain data, for json."""
        told = dict(vars(self), site=dict(self.site._asdict()), seconds=self.seconds, megabytes=self.megabytes)
        told["steps"] = [dict(each._asdict()) for each in self.steps]
        return told

    def __str__(self):
        costs = ", ".join(
            each.name + " " + _cost(each.seconds, each.megabytes) for each in self.steps if each.outcome == "done"
        )
        whole = _cost(self.seconds, self.megabytes)
        return "%s with %s: %s (%s)" % (self.site.directory, self.site.settings, whole, costs)


def _cost(seconds, megabytes):
    return "%.0f ms" % (1000 * seconds) + (" +%.0f MB" % megabytes if megabytes and megabytes >= 0.5 else "")


def _resident():
    """The resident memory of this process in megabytes; None where the system does not tell."""
    try:
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (IOError, OSError, ValueError, AttributeError):
        return None


class Start(object):
    """The start of the one site of this interpreter."""

    def __init__(self, site, options):
        self.site = site
        self.report = Report(site)
        self.options = options
        self.registry = ""  # then "begun", then "whole"
        self.handler = None
        self.application = None
        self.error = None
        self.running = False
        self._next = 0
        self._deadline = None

    def note(self, text):
        self.report.notes.append(text)
        self.say(text)

    def say(self, text):
        try:
            if callable(self.options.log):
                self.options.log(text)
            else:
                sys.stderr.write("bootstrap: %s\n" % text)
        except Exception:
            pass  # a log that fails is no reason not to start

    def run(self):
        """Do the steps that are not done yet. Raises what a needed one raises."""
        before = set(threading.enumerate())
        collecting = gc.isenabled() and "garbage" not in self.options.skip
        if collecting:
            gc.disable()
        self.running = True
        self._deadline = None if self.options.budget is None else now() + self.options.budget
        try:
            while self._next < len(STEPS):
                self._do(STEPS[self._next])
                self._next += 1
        finally:
            self.running = False
            if collecting:
                gc.enable()
        self.report.threads = sorted(each.name for each in set(threading.enumerate()) - before)
        if self.report.threads:
            self.note("threads were started meanwhile, which no fork takes along: %s" % ", ".join(self.report.threads))
        self.report.failed = ""
        self.handler.bootstrap_report = self.report
        if self.options.log:
            self.say(str(self.report))

    def _do(self, step):
        if step.name in self.options.skip:
            self.report.steps.append(Step(step.name, 0.0, "off", 0.0))
            return
        if self._is_over() and not step.needed and step.run is not keep_from_collector:
            self.report.steps.append(Step(step.name, 0.0, "over budget", 0.0))
            self.note("step %s is left to the requests: the budget of %g s is spent" % (step.name, self.options.budget))
            return
        begin, before = now(), _resident()
        outcome = "done"
        try:
            step.run(self)
        except (Exception, SystemExit):
            outcome = _cause()
            if step.needed:
                self.report.failed = "%s: %s" % (step.name, outcome)
                raise
            self.note("step %s failed, and is left to the requests: %s" % (step.name, outcome))
        finally:
            after = _resident()
            grown = None if before is None or after is None else after - before
            self.report.steps.append(Step(step.name, now() - begin, outcome, grown))

    def _is_over(self):
        return self._deadline is not None and now() > self._deadline

    def affordable(self, parts, what):
        """These parts of a step, one after another, until the budget is spent."""
        parts = list(parts)
        for number, part in enumerate(parts):
            if self._is_over():
                self.note(
                    "%d of %d parts (each a %s) are left to the requests: the budget of %g s is spent"
                    % (len(parts) - number, len(parts), what, self.options.budget)
                )
                return
            yield part

    @property
    def may_go_on(self):
        """Would another attempt meet no half-built registry?"""
        return self.registry != "begun"


class Unready(object):
    """Stands in for a site whose start failed: answers 503, and sees to it that there will be another start."""

    def __init__(self, start, ends):
        self.bootstrap_report = start.report
        self._start = start
        self._ends = ends
        self._seconds = start.options.retry_after
        self._again = now() + self._seconds
        self._trying = threading.Lock()
        self._site = None
        self._open = 0
        self._counting = threading.Lock()
        if ends:
            thread = threading.Thread(target=self._end, name="bootstrap ends this process")
            thread.daemon = True
            thread.start()

    def __call__(self, environ, start_response):
        if self._site is None and not self._ends and self._start.may_go_on:
            self._try_again()
        if self._site is not None:
            return self._site(environ, start_response)
        with self._counting:
            self._open += 1
        body = b"The site is starting. Try again in a moment.\n"
        start_response(
            "503 Service Unavailable",
            [
                ("Content-Type", "text/plain"),
                ("Content-Length", str(len(body))),
                ("Retry-After", str(int(self._seconds + 0.999))),
                ("Cache-Control", "no-store"),
            ],
        )
        return _Body(body, self._closed)

    def _closed(self):
        with self._counting:
            self._open -= 1

    def _try_again(self):
        """One thread goes on with the start; the others are answered 503 meanwhile."""
        if now() < self._again or not self._trying.acquire(False):
            return
        try:
            if self._site is None:
                self._start.run()
                self._site = self._start.handler
        except (Exception, SystemExit):
            self._start.say("the start failed again: %s" % self._start.report.failed)
            self._again = now() + self._seconds
        finally:
            self._trying.release()

    def _end(self):
        """End this process, once whoever waits is answered: Apache starts another one."""
        time.sleep(self._seconds)
        if _process_group():
            os.kill(os.getpid(), signal.SIGUSR1)  # mod_wsgi ends a daemon process when its requests are answered
            time.sleep(GRACEFUL_SECONDS)
        deadline = now() + GRACEFUL_SECONDS
        while self._open and now() < deadline:  # a child of httpd knows no such signal
            time.sleep(0.01)
        os._exit(1)


class _Body(object):
    """A body of one piece, that says when the server is done with it."""

    def __init__(self, body, closed):
        self._pieces = iter((body,))
        self._closed = closed

    def __iter__(self):
        return self._pieces

    def close(self):
        self._closed()


_lock = threading.RLock()
_start = None


def get_application(
    site,
    settings=None,
    warm=(),
    warm_failure="warn",
    checks="warn",
    skip=(),
    imports=(),
    languages=(),
    budget=None,
    log=None,
    retry_after=2.0,
    end_process=None,
):
    """Set up the Django site in a directory, all of it, on this thread, and return its WSGI application.

    The application has a `bootstrap_report`: what was done, and how long each step took. Called again for the same
    site it returns the same application, from whichever thread.

    Args:
        site: the directory that holds manage.py.
        settings: dotted name of the settings, where manage.py does not settle it.
        warm: paths that are requested from the application itself: "/login/", or ("/login/", {"HTTP_HOST": ...}) with
            what is to be in the environ.
        warm_failure: "warn" or "refuse": what an exception or a status 5xx there does.
        checks: "warn", "refuse" or "off": what errors of the system checks do.
        skip: names of steps to leave out; see STEPS.
        imports: modules that views import inside their functions.
        languages: languages that requests activate beyond those that the site names: LANGUAGE_CODE, and LANGUAGES where
            the settings have a list of their own.
        budget: seconds that the start should not exceed: what only spares requests some work is left to them once so
            much is spent, and that is noted.
        log: None: what is not as it should be goes to stderr, the server's error log; True: the times too; a function
            of one text: both go there.
        retry_after: seconds between a failed start and the next.
        end_process: after a failed start the process ends itself. None: if it is a daemon process of mod_wsgi. In
            embedded mode this may cut off whatever else the same child of httpd is sending.

    Raises:
        BootstrapError: this is no site, or not the one that this interpreter serves. Where there is no mod_wsgi, also
            whatever the start fails with; under mod_wsgi an application is returned that answers 503.
    """
    for name, given, allowed in (
        ("checks", checks, ("warn", "refuse", "off")),
        ("warm_failure", warm_failure, ("warn", "refuse")),
    ):
        if given not in allowed:
            raise BootstrapError("%s=%r: expected one of %s" % (name, given, ", ".join(allowed)))
    possible = [each.name for each in STEPS if each.needed != "always"]
    if isinstance(warm, str):
        raise BootstrapError("warm=%r: expected a list of paths: warm=[%r]" % (warm, warm))
    skipped = (skip,) if isinstance(skip, str) else tuple(skip)
    for name in skipped:
        if name not in possible:
            raise BootstrapError(
                "skip=%r: there is no such step to leave out (those are: %s)" % (name, ", ".join(possible))
            )
    if budget is not None and not (isinstance(budget, (int, float)) and budget >= 0):
        raise BootstrapError("budget=%r: expected a number of seconds, or None" % (budget,))
    options = Options(warm, warm_failure, checks, skipped, imports, languages, budget, log, retry_after, end_process)
    with _lock:
        return _application(find_site(site, settings), options)


def _application(site, options):
    global _start
    if _start is None:
        set_path(site)
        _start = Start(site, options)
        _begin(_start)
    elif _start.site != site:
        raise BootstrapError(
            "this interpreter already serves %s with %s: one interpreter serves one site; give %s a "
            "WSGIApplicationGroup or a WSGIDaemonProcess of its own"
            % (_start.site.directory, _start.site.settings, site.directory)
        )
    elif _start.running:
        raise BootstrapError(
            "get_application is called again while it starts %s: a module that it loads loads the WSGI "
            "script" % site.directory
        )
    if _start.application is None:
        raise _start.error
    return _start.application


def _begin(start):
    try:
        start.run()
    except (Exception, SystemExit):
        start.say("the start of %s failed, step %s" % (start.site.directory, start.report.failed))
        start.say(traceback.format_exc())
        group = _process_group()
        if group is None:
            start.error = BootstrapError(
                "the start of %s failed in this interpreter, step %s: start a fresh process"
                % (start.site.directory, start.report.failed)
            )
            raise
        ends = bool(group) if start.options.end_process is None else start.options.end_process
        start.application = Unready(start, ends)
    else:
        start.application = start.handler
