"""What the scripts `*/provision.py` share: fetching packages for the tests without touching the Python that runs them.

What was fetched is kept in a folder, so later runs need no network; several processes may use one folder at the same time.
"""

import contextlib
import json
import os
import subprocess
import sys
import time

UNAVAILABLE = 3
# How long a failed attempt is believed, so that a test run without network pays for one attempt and not for one per test program.
FAILURE_KEPT_SECONDS = 600


class Unavailable(Exception):
    """What was asked for cannot be had on this machine, and why."""


def answer(name, provision):
    """Prints what `provision` gives, as JSON, or ends with 3 and says why it cannot be had."""
    try:
        if sys.version_info < (3, 8):
            raise Unavailable("this script needs Python 3.8 or newer, not %s" % sys.version.split()[0])
        print(json.dumps(provision()))
    except Unavailable as error:
        print("%s is not available: %s" % (name, error), file=sys.stderr)
        sys.exit(UNAVAILABLE)


@contextlib.contextmanager
def attempt(folder, retry):
    """Around an attempt to fetch. One that failed a moment ago fails again at once, unless told to try again."""
    failure = folder / "unavailable.json"
    if not retry:
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(failure.read_text())
            if 0 <= time.time() - kept["time"] < FAILURE_KEPT_SECONDS:
                raise Unavailable(kept["error"])
    try:
        yield
    except Unavailable as error:
        failure.write_text(json.dumps({"time": time.time(), "error": str(error)}))
        raise
    with contextlib.suppress(FileNotFoundError):
        failure.unlink()


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


def run(command, pythonpath=()):
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_ROOT_USER_ACTION="ignore")
    environment["PIP_TIMEOUT"] = environment["PIP_DEFAULT_TIMEOUT"] = "30"
    environment["PIP_RETRIES"] = "2"
    if pythonpath:
        environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in pythonpath)
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


def says(python, program, package):
    """Whether a program runs with a package in reach, and what it prints."""
    environment = dict(os.environ, PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1")
    try:
        ran = subprocess.run(
            [python, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("%s: %s" % (python, error))
    text = ran.stdout.decode("utf-8", "replace").strip()
    return ran.returncode == 0, text
