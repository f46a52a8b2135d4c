"""Which names look like those of a secret, and what stands in results for its value.

The state of a process is compared, not its secrets: a value under such a name is replaced, token by token, by digests
with a key that this process makes and nobody keeps. Equal values have equal digests, so that a changed one is still
seen, and volatile tokens can still be masked. What the user gave under such a name is left out altogether.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from collections.abc import Mapping

WITHHELD = "…"
"""Stands where a value was given and is not stored."""
# A token ends where markup or white space does: a date or a secret is one, not the characters in which two differ.
TOKEN = re.compile(r"[^\s<>\"'&=;,]+|.", re.DOTALL)

_KEY = secrets.token_bytes(32)
# 32 bits: two values of one name that differ look the same once in four thousand million comparisons.
_DIGEST_BYTES = 4
# Django's own rule of hidden settings (django.views.debug of 6.1), and what it leaves to be seen: whole tables with
# passwords in them, and how environment variables and headers are called that carry credentials.
_WORDS = (
    "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE"
    "|DATABASE|CACHE|EMAIL|BROKER|COOKIE|CREDENTIAL|SESSION|DSN|CSRF|JWT|BEARER|SALT|PRIVATE|WEBHOOK|PWD"
)
_SECRET_NAME = re.compile(f"{_WORDS}|_PW$", re.IGNORECASE)
# They match, and everybody may see them: the working directory, our own variable, a client's wish.
_HARMLESS_NAMES = {"PWD", "OLDPWD", "PYTHONPYCACHEPREFIX", "CACHE-CONTROL"}
# No secret, whatever it is called: a switch, or nothing.
_HARMLESS_VALUES = {"True", "False", "None", "''", '""', "[]", "{}", "()", ""}
# Which entries of a process's state carry a name that somebody chose: the others are our own words.
_CHOSEN_NAMES = ("setting ", "environment ", "invariant ")
# A secret in a value with a harmless name: a URL with a user, `name = value` or `'name': value` with a name as above,
# a private key, the tokens of well-known services.
_SECRET_VALUE = re.compile(
    rf"://[^\s'\"]*@|(?:{_WORDS})[\w.-]*['\"]?\s*[:=]|-----BEGIN |\beyJ[\w-]{{8,}}\.|\b(?:AKIA|ASIA)[A-Z0-9]{{12}}"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|[sr]k_(?:live|test)_)\w",
    re.IGNORECASE,
)
# The same in running text, where only the secret itself is left out. `KeyError: 'x'` is none: an error's message
# follows a colon, so before a colon the name must be quoted.
_URL_USER = re.compile(r"(://)[^\s'\"/@]*(?=@)")
_ASSIGNMENT = re.compile(
    r"((?:PASSW|SECRET|TOKEN|API_?KEY|CREDENTIAL|PRIVATE_?KEY|SIGNATURE)\w*(?:['\"]\s*[:=]|\s*=(?!=))\s*[bru]{0,2})"
    r"('[^']*'|\"[^\"]*\"|[^\s'\"(\[{,;)&]+)",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(
    r"\b((?:HTTP_)?(?:(?:Proxy[-_])?Authorization|(?:Set[-_])?Cookie)['\"]?\s*:\s*).*", re.IGNORECASE
)
_CHECKSUM = re.compile(r"(\(\d+ characters, checksum )([0-9a-f]{8})(?=\)$)")  # see cut() in harness/inside/state.py
_DIGESTS = re.compile(r"~[0-9a-f]{8}(?: ~[0-9a-f]{8})*")
# More entries than the states of a run have that differ from each other, and little memory.
_REMEMBERED = 8192


def is_secret_name(name: str) -> bool:
    """Does a setting, a variable or a header of that name look like one that holds a secret?"""
    return _SECRET_NAME.search(name) is not None and name.upper() not in _HARMLESS_NAMES


def digested(name: str, text: str) -> str:
    """A digest for each token of a secret, by which texts of the same `name` can be compared in this run alone."""
    return " ".join(_digest(name, token) for token in TOKEN.findall(text))


def _digest(name: str, token: str) -> str:
    content = f"{name}\0{token}".encode("utf-8", "surrogatepass")
    return f"~{hashlib.blake2b(content, key=_KEY, digest_size=_DIGEST_BYTES).hexdigest()}"


@functools.lru_cache(_REMEMBERED)
def entry(name: str, value: str) -> str:
    """An entry of a process's state as it may be stored: as it is, or in digests."""
    chosen = name.startswith(_CHOSEN_NAMES)
    secret = chosen and value not in _HARMLESS_VALUES and is_secret_name(name.partition(" ")[2])
    if secret or _SECRET_VALUE.search(value):
        return digested(name, value)
    # Of a long text its begin is here, and a checksum of all of it, which would tell whether a guess is right.
    return _CHECKSUM.sub(lambda match: f"{match[1]}{_digest(name, match[2])}", value)


def is_digested(value: object) -> bool:
    """Do digests stand for this value?"""
    return isinstance(value, str) and _DIGESTS.fullmatch(value) is not None


def brief(value: object) -> str:
    """A value for a sentence: of many digests one is made."""
    text = str(value)
    return f"~{hashlib.sha256(text.encode()).hexdigest()[: 2 * _DIGEST_BYTES]}" if is_digested(text) else text


@functools.lru_cache(_REMEMBERED)
def header(name: str, value: str) -> str:
    """The value of a header of an answer as it may be stored."""
    return digested(name, value) if _SECRET_VALUE.search(value) else value


def passage(text: str) -> str:
    """Running text of a site, a line of its log or an error's message, without what is plainly a secret in it."""
    text = _URL_USER.sub(rf"\1{WITHHELD}", text)
    text = _CREDENTIALS.sub(rf"\1{WITHHELD}", text)
    return _ASSIGNMENT.sub(rf"\1{WITHHELD}", text)


def withheld(values: Mapping[str, str]) -> dict[str, str]:
    """Variables or headers that the user gave, without the values whose names look like a secret's."""

    def is_secret(name: str, value: str) -> bool:
        return is_secret_name(name) or _SECRET_VALUE.search(value) is not None

    return {name: WITHHELD if is_secret(name, value) else value for name, value in values.items()}
