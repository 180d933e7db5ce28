#!/usr/bin/env python3
"""Make pyzmq importable and say how.

    provision.py [--dir DIR] [--retry]

Prints one JSON object, {"python": .., "pythonpath": .., "version": .., "libzmq": ..}, and ends with 0. Ends with 3 and one line on stderr
when pyzmq cannot be had here: no network and nothing kept from an earlier run, or no pip.

What was fetched is kept in DIR, so later runs need no network; several processes may run this at the same time. Nothing is installed into
the Python that runs it. Needs Python 3.8 or newer with pip (or with a venv module that brings one).
"""

import argparse
import hashlib
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from provisioning import Unavailable, answer, attempt, find_pip, locked, run, says

VERSION = "27.3.0"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default_dir = pathlib.Path(__file__).resolve().parents[2] / "target" / "pyzmq"
    parser.add_argument("--dir", type=pathlib.Path, default=default_dir, help="where to keep it (default: target/pyzmq)")
    parser.add_argument("--retry", action="store_true", help="try again even when the last attempt failed a moment ago")
    arguments = parser.parse_args()
    answer("pyzmq " + VERSION, lambda: provision(arguments.dir.resolve(), arguments.retry))


def provision(folder, retry):
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        package = prepared(folder, retry)
        libzmq = check(package)
    return {"python": sys.executable, "pythonpath": str(package), "version": VERSION, "libzmq": libzmq}


def prepared(folder, retry):
    """The folder that holds the package `zmq`, made on the first call."""
    # Another Python never meets what an older one left behind.
    recipe = hashlib.sha256((VERSION + sys.executable + sys.version).encode()).hexdigest()[:12]
    package = folder / ("pyzmq-" + recipe)
    if package.is_dir():
        return package
    with attempt(folder, retry):
        work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=str(folder)))
        try:
            run(find_pip(folder) + ["install", "--only-binary=:all:", "--no-warn-script-location", "--target", str(work), "pyzmq==" + VERSION])
            check(work)
            work.rename(package)
        finally:
            shutil.rmtree(str(work), ignore_errors=True)
    return package


def check(package):
    """It imports and it is the version asked for: what is kept is known to work. Gives the version of its libzmq."""
    runs, text = says(sys.executable, "import zmq; print(zmq.__version__, zmq.zmq_version(), zmq.has('curve'))", package)
    words = text.split()
    if not runs or words[:1] != [VERSION] or words[2:] != ["True"]:
        raise Unavailable("%s cannot import it with CURVE: %s" % (sys.executable, text))
    return words[1]


if __name__ == "__main__":
    main()
