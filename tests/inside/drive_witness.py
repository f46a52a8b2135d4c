"""Lets code fail in several ways, in the interpreter that runs this, and prints what the witness sees each time.

    drive_witness.py WITNESS DIRECTORY

DIRECTORY holds the packages that fail. Python 2.7 to the newest.
"""

# ruff: noqa: PTH123, BLE001

import json
import sys
import threading

witness, directory = sys.argv[1:]
sys.path.insert(0, directory)
namespace = {"__name__": "_harness_witness", "__file__": witness}
with open(witness) as source:
    exec(compile(source.read(), witness, "exec"), namespace)


def quote(text):
    return json.dumps(text if isinstance(text, str) else "%s" % (text,))


def seen(call):
    """What is seen of the exception that a call raises."""
    try:
        call()
    except Exception:
        return json.loads(namespace["install"](sys.exc_info(), quote, globals()))
    return None


from shop import views  # noqa: E402

results = {
    name: seen(getattr(views, name))
    for name in ("own", "library", "by_another", "shared", "inner", "marker", "plain", "hostile", "raised_from", "deep")
}

inside, go_on = threading.Event(), threading.Event()
sys.modules["gates"] = type(sys)("gates")
sys.modules["gates"].__dict__.update(inside=inside, go_on=go_on)


def execute_slowly():
    import shop.slow  # noqa: F401, PLC0415


thread = threading.Thread(target=execute_slowly)
thread.start()
inside.wait(30)
results["half_done"] = seen(views.half_done)
results["executing"] = thread.ident
go_on.set()
thread.join(30)

many = threading.Event()
ready = [threading.Event() for _ in range(40)]
threads = [threading.Thread(target=views.deeply, args=(30, each, many)) for each in ready]
for thread in threads:
    thread.start()
for each in ready:
    each.wait(30)
results["crowd"] = seen(views.own)
many.set()
for thread in threads:
    thread.join(30)
print(json.dumps(results))
