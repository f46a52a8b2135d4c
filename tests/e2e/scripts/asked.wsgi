"""Says all that it was asked."""


def application(environ, start_response):
    sum(number * number for number in range(100000))  # long enough in the process to be met by others
    names = [name for name in sorted(environ) if name.startswith(("HTTP_", "CONTENT_")) and "HARNESS" not in name]
    said = [environ["REQUEST_METHOD"], environ["REQUEST_URI"], environ["PATH_INFO"], environ["QUERY_STRING"]]
    said += ["%s=%s" % (name, environ[name]) for name in names] + [repr(environ["wsgi.input"].read())]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Vary", "A"), ("Vary", "B")])
    return [" | ".join(said).encode("utf-8", "replace")]
