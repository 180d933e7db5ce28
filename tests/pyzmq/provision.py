#!/usr/bin/env python3
"""Make pyzmq importable and say how.

    provision.py [--dir DIR] [--retry]

Prints one JSON object, {"python": .., "pythonpath": .., "version": .., "libzmq": ..}, and ends with 0. Ends with 3 and one line on stderr
when pyzmq cannot be had here: no network and nothing kept from an earlier run, or no pip.

What was fetched is kept in DIR, so later runs need no network; several processes may run this at the same time. Nothing is installed into
the Python that runs it. Needs Python 3.8 or newer with pip (or with a venv module that brings one).
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

VERSION = "27.3.0"
UNAVAILABLE = 3
# How long a failed attempt is believed, so that a test run without network pays for one attempt and not for one per test program.
FAILURE_KEPT_SECONDS = 600


class Unavailable(Exception):
    """pyzmq cannot be had on this machine, and why."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default_dir = pathlib.Path(__file__).resolve().parents[2] / "target" / "pyzmq"
    parser.add_argument("--dir", type=pathlib.Path, default=default_dir, help="where to keep it (default: target/pyzmq)")
    parser.add_argument("--retry", action="store_true", help="try again even when the last attempt failed a moment ago")
    arguments = parser.parse_args()
    try:
        print(json.dumps(provision(arguments.dir.resolve(), arguments.retry)))
    except Unavailable as error:
        print("pyzmq %s is not available: %s" % (VERSION, error), file=sys.stderr)
        sys.exit(UNAVAILABLE)


def provision(folder, retry):
    if sys.version_info < (3, 8):
        raise Unavailable("this script needs Python 3.8 or newer, not %s" % sys.version.split()[0])
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
    failure = folder / "unavailable.json"
    if not retry:
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(failure.read_text())
            if 0 <= time.time() - kept["time"] < FAILURE_KEPT_SECONDS:
                raise Unavailable(kept["error"])
    work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=str(folder)))
    try:
        run(find_pip(folder) + ["install", "--only-binary=:all:", "--no-warn-script-location", "--target", str(work), "pyzmq==" + VERSION])
        check(work)
        work.rename(package)
    except Unavailable as error:
        failure.write_text(json.dumps({"time": time.time(), "error": str(error)}))
        raise
    finally:
        shutil.rmtree(str(work), ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        failure.unlink()
    return package


def find_pip(folder):
    """pip as a command: this Python's own, else one that a fresh virtual environment brings."""
    own = [sys.executable, "-m", "pip"]
    if succeeds(own + ["--version"]):
        return own
    scripts = "Scripts" if os.name == "nt" else "bin"
    venv = folder / "venv"
    python = venv / scripts / ("python.exe" if os.name == "nt" else "python")
    inside = [str(python), "-m", "pip"]
    if not (python.exists() and succeeds(inside + ["--version"])):
        if not succeeds([sys.executable, "-m", "venv", "--clear", str(venv)]):
            raise Unavailable("%s has neither pip nor a venv module that brings one (on Debian: apt-get install python3-pip)" % sys.executable)
    return inside


def run(command):
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_ROOT_USER_ACTION="ignore")
    environment["PIP_TIMEOUT"] = environment["PIP_DEFAULT_TIMEOUT"] = "30"
    environment["PIP_RETRIES"] = "2"
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("`%s`: %s" % (" ".join(command), error))
    if answer.returncode != 0:
        lines = answer.stdout.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable("`%s` ended with %d: %s" % (" ".join(command), answer.returncode, " | ".join(lines[-6:])))


def succeeds(command):
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=120).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def check(package):
    """It imports and it is the version asked for: what is kept is known to work. Gives the version of its libzmq."""
    program = "import zmq; print(zmq.__version__, zmq.zmq_version(), zmq.has('curve'))"
    environment = dict(os.environ, PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1")
    try:
        answer = subprocess.run(
            [sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("%s: %s" % (sys.executable, error))
    said = answer.stdout.decode("utf-8", "replace").split()
    if answer.returncode != 0 or said[:1] != [VERSION] or said[2:] != ["True"]:
        raise Unavailable("%s cannot import it with CURVE: %s" % (sys.executable, " ".join(said)))
    return said[1]


@contextlib.contextmanager
def locked(path):
    """An exclusive lock on a file, released by the system whatever becomes of this process."""
    with open(str(path), "a+") as file:
        if os.name == "nt":
            import msvcrt

            while True:
                file.seek(0)
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:
                    continue  # it gives up after ten seconds; a download may take longer
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
