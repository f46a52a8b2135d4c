"""Plays mod_wsgi to the probe, in the interpreter that runs this: Python 2.7 to the newest.

    drive_probe.py DIRECTORY BATCHES

DIRECTORY holds the probe with its boot.wsgi, and a site with its script.wsgi; BATCHES is a JSON list of lists
of [name, action]. The requests of a batch are all in the process before any is answered, each on a thread of
its own; a batch of one is played on the thread that imported the script. Prints a JSON object with what was
seen from outside.
"""

# pathlib is not in Python 2; a server catches whatever a site raises.
# ruff: noqa: PTH118, PTH123, BLE001

import hashlib
import json
import os
import sys
import threading
import types


class Barrier:
    """threading.Barrier, which Python 2 does not have."""

    def __init__(self, parties):
        self._missing = parties
        self._condition = threading.Condition()

    def wait(self):
        with self._condition:
            self._missing -= 1
            self._condition.notify_all()
            while self._missing > 0:
                self._condition.wait(10)


class Driver:
    def __init__(self, directory):
        self._directory = directory
        self._answers = {}
        self.subscribed = []
        fake = sys.modules["mod_wsgi"] = types.ModuleType("mod_wsgi")
        fake.subscribe_events = self.subscribed.append

    def load(self, name):
        """Execute a script as mod_wsgi does: in a module whose name no import statement can hit."""
        path = os.path.join(self._directory, name)
        module = types.ModuleType("_mod_wsgi_" + hashlib.md5(path.encode("utf-8")).hexdigest())
        module.__file__ = path
        sys.modules[module.__name__] = module
        with open(path) as source:
            exec(compile(source.read(), path, "exec", 0, True), module.__dict__)
        return module

    def _event(self, name, **event):
        for callback in self.subscribed:
            yield callback(name, **event) or {}

    def _request(self, application, name, action, start, finish):
        environ = {"PATH_INFO": action, "HTTP_X_HARNESS_REQUEST": self._headers[name]}
        answer = {"thread": threading.current_thread().ident, "headers": []}

        def start_response(status, headers, exc_info=None):
            answer["status"] = status
            answer["headers"] = headers

        for given in self._event("request_started", request_environ=environ, application_object=application):
            application = given.get("application_object", application)
        start.wait()
        try:
            answer["body"] = b"".join(application(environ, start_response)).decode("ascii")
        except Exception as error:
            answer["error"] = type(error).__name__
            list(self._event("request_exception", exception_info=sys.exc_info()))
        self._answers[name] = answer
        finish.wait()
        list(self._event("request_finished"))

    def play(self, application, batch):
        start, finish = Barrier(len(batch)), Barrier(len(batch))
        requests = [(application, name, action, start, finish) for name, action in batch]
        if len(requests) == 1:
            self._request(*requests[0])
            return
        threads = [threading.Thread(target=self._request, args=each) for each in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def state(self):
        """What installing the probe must leave as it is."""
        return {
            "path": list(sys.path),
            "meta_path": [repr(each) for each in sys.meta_path],
            "path_hooks": [repr(each) for each in sys.path_hooks],
            "threads": threading.active_count(),
            "hooks": [repr(sys.excepthook), repr(sys.gettrace()), repr(sys.getprofile())],
        }

    def run(self, batches):
        # A header is bytes on Python 2 and text on Python 3, Latin-1 in both (PEP 3333).
        names = [name for batch in batches for name, _ in batch]
        self._headers = {name: name if str is not bytes else name.encode("latin-1") for name in names}
        sys.path.insert(0, self._directory)
        before = self.state()
        self.load("boot.wsgi")
        after = self.state()
        thread = threading.current_thread().ident
        application = self.load("script.wsgi").application
        for batch in batches:
            self.play(application, batch)
        return {"answers": self._answers, "before": before, "after": after, "script_thread": thread}


if __name__ == "__main__":
    driver = Driver(sys.argv[1])
    report = driver.run(json.loads(sys.argv[2]))
    report["subscribed"] = len(driver.subscribed)
    print(json.dumps(report))
