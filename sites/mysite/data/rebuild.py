"""Make mysite.sqlite3 anew: python sites/mysite/data/rebuild.py

The site itself opens the file read-only, so this script points the settings at a writable name
before Django is set up.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATABASE = HERE / "mysite.sqlite3"

BOOKS = {
    "Mary Shelley": [("Frankenstein", 1818), ("The Last Man", 1826)],
    "Herman Melville": [("Moby-Dick", 1851)],
    "Theodor Fontane": [("Effi Briest", 1895)],
    "Virginia Woolf": [("Mrs Dalloway", 1925), ("Orlando", 1928)],
}

sys.path.insert(0, str(HERE.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

import django  # noqa: E402 - the site's directory has to be on sys.path first
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

settings.DATABASES["default"]["NAME"] = DATABASE
django.setup()

from library.models import Author, Book  # noqa: E402 - models need the app registry

DATABASE.unlink(missing_ok=True)
call_command("migrate", run_syncdb=True, verbosity=0)
for name, books in BOOKS.items():
    author = Author.objects.create(name=name)
    Book.objects.bulk_create(Book(title=title, year=year, author=author) for title, year in books)
DATABASE.chmod(0o644)
