"""The floor of a cold start: a bare interpreter imports the script, answers N first requests in N threads, and ends.

Standard library only: it runs in the site's own interpreter, where the harness is not installed.
"""

import io
import os
import sys
import threading


def main() -> None:
    path, threads = sys.argv[1], int(sys.argv[2])
    namespace: dict[str, object] = {"__name__": "_mod_wsgi_floor", "__file__": path}
    with open(path) as stream:  # noqa: PTH123 - pathlib is not needed for this, and costs an import
        exec(compile(stream.read(), path, "exec"), namespace)
    application = namespace["application"]
    barrier = threading.Barrier(threads)
    good = []

    def request() -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        barrier.wait()
        result = application(environ, lambda status, *_: good.append(status.startswith("200")))  # type: ignore[operator]
        b"".join(result)
        result.close()

    running = [threading.Thread(target=request) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    # Like a server process that is killed: without clean-up.
    os._exit(0 if len(good) == threads and all(good) else 1)


if __name__ == "__main__":
    main()
