"""A site for the probe to watch: tiny packages that are named and built like Django's, on Python 2.7 too."""

SCRIPT = """
import early
import actions
import django.conf

def application(environ, start_response):
    getattr(actions, environ["PATH_INFO"])()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""

ACTIONS = r"""
import os
import signal
import sys
import package

def nothing():
    pass

def settings():
    from django.conf import settings
    settings._setup()

def settings_for_ever():
    from django.conf import settings
    settings._setup(name="die")

def every_kind():
    from every_kind import run
    run()

def lazy_import():
    import outer

def failing_import():
    try:
        import fails
    except ZeroDivisionError:
        pass

def lazy_submodule():
    from package import late

def known_modules():
    import package.part
    from package import part
    package.relative()

def executed_twice():
    import twice
    del sys.modules["twice"]
    import twice

def imported_twice():
    import once
    import once

def fail():
    raise ValueError('"quoted" \\ and\ttabbed')

def fail_abroad():
    raise ValueError(u"caf\xe9 \u65e5\u672c \U0001d11e")

def fail_encoded():
    raise ValueError(b"caf\xc3\xa9")

class Mute(Exception):
    def __str__(self):
        raise KeyError("no text")

def fail_mute():
    raise Mute

def fail_unpaired():
    raise ValueError(u"\udce9")

def fail_at_length():
    raise ValueError("x" * 5000)

def handled():
    from django.core.handlers.exception import handle_uncaught_exception
    try:
        fail()
    except ValueError:
        handle_uncaught_exception(None, None, sys.exc_info())

def handled_by_method():
    from django.core.handlers.base import BaseHandler
    try:
        fail()
    except ValueError:
        BaseHandler().handle_uncaught_exception(None, None, sys.exc_info())

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""

MODULES = {
    "early.py": "",
    "outer.py": "import inner_one\nimport inner_two\n",
    "inner_one.py": "",
    "inner_two.py": "",
    "fails.py": "1 / 0\n",
    "once.py": "",
    "twice.py": "",
    "package/__init__.py": """
from . import part

def relative():
    from . import part
    from .part import thing
""",
    "package/part.py": "thing = 1\n",
    "package/late.py": "",
}

NEW_DJANGO = {
    "django/__init__.py": "",
    # Imports before its class exists, as Django's does: then the module is half executed in sys.modules.
    "django/conf/__init__.py": """
import os
import signal
from django.conf import global_settings

class LazySettings(object):
    def _setup(self, name=None):
        if name == "die":
            os.kill(os.getpid(), signal.SIGKILL)

settings = LazySettings()
""",
    "django/conf/global_settings.py": "",
    "django/apps/__init__.py": "",
    "django/apps/registry.py": """
class Apps(object):
    ready = False

    def populate(self, installed_apps=None):
        self.ready = True

apps = Apps()
""",
    "django/core/__init__.py": "",
    "django/core/handlers/__init__.py": "",
    "django/core/handlers/base.py": """
class BaseHandler(object):
    def load_middleware(self, is_async=False):
        pass
""",
    "django/core/handlers/exception.py": "def handle_uncaught_exception(request, resolver, exc_info):\n    pass\n",
    "django/urls/__init__.py": "",
    "django/urls/resolvers.py": """
class cached_property(object):
    def __init__(self, func):
        self.func = func

    def __get__(self, instance, cls=None):
        return self.func(instance)

class URLResolver(object):
    def __init__(self, urlconf_name):
        self.urlconf_name = urlconf_name

    def _populate(self):
        pass

    @cached_property
    def urlconf_module(self):
        pass
""",
    "django/template/__init__.py": "",
    "django/template/engine.py": "class Engine(object):\n    def __init__(self, dirs=None):\n        pass\n",
    "django/utils/__init__.py": "",
    "django/utils/translation/__init__.py": "",
    "django/utils/translation/trans_real.py": """
class DjangoTranslation(object):
    def __init__(self, language, domain=None):
        pass
""",
    "every_kind.py": """
import early
from django.apps.registry import apps
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.template.engine import Engine
from django.urls.resolvers import URLResolver
from django.utils.translation.trans_real import DjangoTranslation

def run():
    settings._setup()
    apps.populate([])
    apps.populate([])  # does nothing: it is ready
    BaseHandler().load_middleware(is_async=False)
    URLResolver("books.urls").urlconf_module
    URLResolver(early)._populate()
    URLResolver([])._populate()
    Engine(dirs=[])
    DjangoTranslation("de", domain="django")
""",
}
NEW_KINDS = [
    ("settings", "books.settings"),
    ("app-registry", ""),
    ("middleware", ""),
    ("urlconf", "books.urls"),
    ("resolver", "early"),
    ("resolver", "include(...)"),
    ("template-engine", ""),
    ("catalogue", "de"),
]

OLD_DJANGO = {
    **{name: text for name, text in NEW_DJANGO.items() if name.endswith("__init__.py") and "conf" not in name},
    "django/conf/__init__.py": """
import os
from django.conf import global_settings

class LazySettings(object):
    def _import_settings(self):
        pass

settings = LazySettings()
""",
    "django/conf/global_settings.py": "",
    "django/db/__init__.py": "",
    "django/db/models/__init__.py": "",
    "django/db/models/loading.py": """
from django.conf import settings

class AppCache(object):
    loaded = False

    def _populate(self):
        self.loaded = True

cache = AppCache()
""",
    "django/core/handlers/base.py": """
class BaseHandler(object):
    def load_middleware(self):
        pass

    def handle_uncaught_exception(self, request, resolver, exc_info):
        pass
""",
    "django/core/urlresolvers.py": """
class RegexURLResolver(object):
    urlconf_name = "books.urls"

    def _populate(self):
        pass

    urlconf_module = property(lambda self: None)
""",
    "django/template/engine.py": "# There is no Engine here, which the probe would wrap.\n",
    "django/utils/translation/trans_real.py": """
_translations = {}

def translation(language):
    _translations[language] = language
""",
    "every_kind.py": """
import django.template.engine
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.urlresolvers import RegexURLResolver
from django.db.models.loading import cache
from django.utils.translation import trans_real

def run():
    settings._import_settings()
    cache._populate()
    cache._populate()  # does nothing: it is loaded
    BaseHandler().load_middleware()
    RegexURLResolver().urlconf_module
    RegexURLResolver()._populate()
    trans_real.translation("de")
    trans_real.translation("de")  # does nothing: it is there
""",
}
OLD_KINDS = [
    ("settings", "books.settings"),
    ("app-registry", ""),
    ("middleware", ""),
    ("resolver", "books.urls"),
    ("catalogue", "de"),
]


def write_site(directory, django=NEW_DJANGO):
    """Write the site into `directory`."""
    for name, text in {"script.wsgi": SCRIPT, "actions.py": ACTIONS, **MODULES, **django}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
