"""A script with advice put into it: text in, text out."""

import ast
import subprocess
import sys

import pytest

from harness.advice import Advice, recipes
from harness.advice.script_edit import HEADING, edited, preview, takes_from_requests

NEW, OLD = (5, 2), (1, 1)
SET_UP = Advice(about="settings", says="set up", set_up=True)
HEAD = """import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.core.wsgi import get_wsgi_application

"""


def test_call_moves_out_of_function():
    """The application is made once, above the function, which uses it from there."""
    source = (
        HEAD
        + "\ndef application(environ, start_response):\n    return get_wsgi_application()(environ, start_response)\n"
    )
    lines = edited(source, [SET_UP], NEW).splitlines()
    made = lines.index("django_application = get_wsgi_application()")
    assert made < lines.index("def application(environ, start_response):")
    assert "    return django_application(environ, start_response)" == lines[-1]


def test_module_level_call_stays():
    """The near-twin: a call that is at module level already is not moved."""
    source = HEAD + "application = get_wsgi_application()\n"
    assert source == edited(source, [SET_UP], NEW)
    assert "" == preview(source, "wsgi.py", [SET_UP], NEW)


def test_inner_import_moves_too():
    """An import inside the function is made above too: the name has to be there at module level."""
    source = (
        "def application(environ, start_response):\n"
        "    from django.core.wsgi import get_wsgi_application\n"
        "    return get_wsgi_application()(environ, start_response)\n"
    )
    lines = edited(source, [SET_UP], NEW).splitlines()
    assert [
        "from django.core.wsgi import get_wsgi_application",
        "django_application = get_wsgi_application()",
    ] == lines[:2]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (
            "    django.setup()\n    return handler(environ, start_response)\n",
            "    return handler(environ, start_response)",
        ),
        ("    if not ready:\n        django.setup()\n    return handler(environ, start_response)\n", "        pass"),
    ],
)
def test_setup_moves_above_the_handler(body, left):
    """A setup inside a function moves above a handler at module level; a block that loses it keeps a statement."""
    source = (
        "import django\nfrom django.core.handlers.wsgi import WSGIHandler\n\n"
        "ready = False\nhandler = WSGIHandler()\n\n\n"
        "def application(environ, start_response):\n" + body
    )
    lines = edited(source, [SET_UP], NEW).splitlines()
    assert lines.index("django.setup()") < lines.index("handler = WSGIHandler()")
    assert 1 == sum("django.setup()" in line for line in lines)
    assert left in lines
    ast.parse("\n".join(lines))


def test_old_script_gets_new_setup():
    """The script of 2010 gets a setup on a new Django only: before Django 1.7 there is none."""
    source = "import django.core.handlers.wsgi\n\napplication = django.core.handlers.wsgi.WSGIHandler()\n"
    assert "django.setup()" in edited(source, [SET_UP], NEW).splitlines()
    assert source == edited(source, [SET_UP], OLD)


def test_lines_go_to_the_end():
    """Lines go to the end, under one heading and imports first; what the script has already is not put there again."""
    advice = [
        Advice(about="urlconf", says="", lines=recipes.urls(NEW)),
        Advice(about="template-engine", says="", lines=("from django.template import engines", "engines.all()")),
    ]
    source = HEAD + "from django.urls import get_resolver\n\napplication = get_wsgi_application()\n"
    _, _, added = edited(source, advice, NEW).partition(HEADING)
    assert [
        "", "from django.template import engines", "",
        "get_resolver().url_patterns  # imports the URLconf and the views", "engines.all()",
    ] == added.splitlines()  # fmt: skip


def test_similar_loops_stay_whole():
    """Two loops that begin alike are both whole: only imports are left out where they are there already."""
    advice = [
        Advice(about="catalogue", says="", lines=recipes.urls(NEW, catalogues=True)),
        Advice(about="resolver", says="", lines=recipes.urls(NEW, tables=True)),
    ]
    made = edited("application = None\n", advice, NEW)
    assert 2 == made.count("for language in") == made.count("    translation.activate(language)")
    ast.parse(made)


def test_old_handler_keeps_its_name():
    """An old handler's middleware is loaded at import, by the name it has: the moved application's, where one was."""
    advice = [Advice(about="middleware", says="", lines=recipes.middleware(OLD), set_up=True)]
    deferred = "def application(environ, start_response):\n    return WSGIHandler()(environ, start_response)\n"
    assert "django_application.load_middleware()" in edited(deferred, advice, OLD)
    assert "\napplication.load_middleware()" in edited("application = WSGIHandler()\n", advice, OLD)


def test_python_2_script_only_grows():
    """A script in the syntax of Python 2 is left as it is: lines are added to its end, nothing is moved."""
    source = 'print "x"\napplication = WSGIHandler()\n'
    advice = [Advice(about="", says="", lines=("import a",), set_up=True)]
    assert source + f"\n{HEADING}\nimport a\n" == edited(source, advice, OLD)


def test_a_preview_is_a_unified_diff():
    """One that patch understands; the script itself is not touched."""
    found = preview("a = 1\n", "wsgi.py", [Advice(about="", says="", lines=("import b",))], NEW)
    assert ["--- wsgi.py", "+++ wsgi.py (with the advice)", "@@ -1 +1,4 @@", " a = 1"] == found.splitlines()[:4]


@pytest.mark.parametrize(
    ("line", "does"),
    [("os.environ['A'] = environ['A']", True), ("environ['A'] = 'x'", False), ("cache['A'] = environ['A']", False)],
)
def test_what_comes_from_requests_is_noticed(line, does):
    """Into os.environ, not into the request's own."""
    assert does == takes_from_requests(f"def application(environ, start_response):\n    {line}\n")


SITE = """
import django, sys
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, LANGUAGES=[("de", "Deutsch")], USE_I18N=True, TEMPLATES=[
    {"BACKEND": "django.template.backends.django.DjangoTemplates"}])
urlpatterns = []
sys.modules[__name__] = sys.modules["__main__"]
"""


def test_the_lines_run_on_this_django():
    """Every recipe for the newest Django, in a script of its own."""
    recipe = [
        *recipes.setup(NEW),
        "from django.core.wsgi import get_wsgi_application", "application = get_wsgi_application()",
        *recipes.middleware(NEW), *recipes.urls(NEW), *recipes.urls(NEW, tables=True, catalogues=True),
        *recipes.templates(NEW), *recipes.requests(["/"]),
        "from django.utils.translation import trans_real", "assert {'de', 'en-us'} <= set(trans_real._translations)",
        "assert {'de', 'en-us'} <= set(get_resolver()._reverse_dict)",
        "print('done')",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SITE + "\n".join(recipe)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.endswith("done\n"), done.stderr
