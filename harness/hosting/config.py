"""Renders the configuration of an httpd that hosts one case."""

from __future__ import annotations

import os
import re
from typing import Any

import jinja2

from harness.cases.case import Case
from harness.errors import BadInput, quoted, shortened

# What ends a quoted word or a line of httpd's configuration, or is replaced in it wherever it stands.
_UNQUOTABLE = re.compile(r'[\x00-\x1f\x7f"\\]|\$\{')

# sun_path has 108 bytes with its NUL: unix(7).
_MAX_SOCKET_PATH = 107
# What mod_wsgi appends to WSGISocketPrefix: pid, generation and number of the process group.
_SOCKET_NUMBERS = ".4194304.99.999.sock"

# What the template needs beside the MPM: the user, access to the script, and the header that selects a slot.
MODULES = ("unixd", "authz_core", "setenvif")
# What a fragment of a site's configuration usually needs; it can load other modules itself.
MODULES_FOR_FRAGMENT = ("alias", "env", "headers", "rewrite")
# Threads of the front end beyond those that stampedes hold, for their follow-up requests: one at a time per stampede,
# and fewer stampedes than this run in parallel.
SPARE_THREADS = 16


def render(case: Case, parallel: int, **places: Any) -> str:
    """The configuration of an httpd that hosts `case`, for up to `parallel` stampedes at a time.

    `places` depend on the backend; paths are as httpd sees them: directory, scratch (for files that need not outlive
    a start), listen, groups, user, group, modules_directory, mod_wsgi, python_home, script, probe.
    """
    daemon = case.mode == "daemon"
    _check_length(str(places["scratch"]))
    if any(character in case.apache_conf for character in "*?["):
        raise BadInput(
            f"{quoted(case.apache_conf)}: httpd takes '*', '?' and '[' of an Include for a pattern: rename the file"
        )
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.hosting", ""),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        finalize=quotable,
    ).get_template("httpd.conf.j2")
    return template.render(
        modules=[f"mpm_{case.mpm}", *MODULES, *(MODULES_FOR_FRAGMENT if case.apache_conf else ())],
        mpm=case.mpm,
        children=1 if daemon else case.processes,
        threads_per_child=front_threads(case, parallel) if daemon else case.threads,
        application_group=case.application_group,
        processes=case.processes,
        threads=case.threads,
        display_name=display_name,
        fragment=case.apache_conf,
        reload=case.restart == "reload",
        preload=case.preload,
        **places,
    )


def front_threads(case: Case, parallel: int) -> int:
    """Threads of httpd's own child, in daemon mode: as many as stampedes have requests."""
    return parallel * case.users + SPARE_THREADS


def _check_length(directory: str) -> None:
    """Raises BadInput: mod_wsgi's sockets in it would have a longer path than the kernel takes."""
    longest = f"{directory}/s{_SOCKET_NUMBERS}"
    if len(os.fsencode(longest)) > _MAX_SOCKET_PATH:
        raise BadInput(
            f"the path of a socket may have {_MAX_SOCKET_PATH} bytes, and {shortened(longest)} has "
            f"{len(os.fsencode(longest))}: set TMPDIR to a shorter directory (/tmp)"
        )


def quotable(value: object) -> object:
    """What the template puts between quotes, or beside other words. Raises BadInput: httpd cannot be given it."""
    text = str(value)
    if _UNQUOTABLE.search(text):
        raise BadInput(
            f"{quoted(text)} cannot stand in httpd's configuration (a control character, '\"', '\\\\' or '${{'): "
            f"choose another path or name"
        )
    return value


def display_name(group: str) -> str:
    """The title of a process group's processes; mod_wsgi truncates it to the length of httpd's own path."""
    return f"wsgi:{group}"
