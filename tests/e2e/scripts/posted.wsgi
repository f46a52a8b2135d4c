"""Says what it was asked: method, body, a header, a variable, its interpreter's name."""
import os


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    parts = (
        environ["REQUEST_METHOD"],
        environ["wsgi.input"].read(length).decode(),
        environ["HTTP_HOST"],
        environ.get("HTTP_X_COLOUR", "-"),
        os.environ.get("COLOUR", "-"),
        environ["mod_wsgi.application_group"] or "main",
        environ.get("FRAGMENT", "-"),
    )
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["|".join(parts).encode()]
