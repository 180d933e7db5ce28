#!/usr/bin/env python3
"""Make the real pysig 0.7.3 runnable and say how to run it.

    provision.py [--dir DIR] [--flavour auto|py2|py3] [--retry]

Prints one JSON object, {"python": .., "pythonpath": .., "flavour": .., "version": ..}, and ends with 0. Ends with 3 and one line on
stderr when pysig cannot be had here: no network and nothing kept from an earlier run, no pip, or (flavour py2) no Python 2.7.

Flavours: `py2` is the untouched package under Python 2.7. `py3` is the package translated by lib2to3 or fissix, with text encoded and
decoded at the socket, under the Python that runs this script. `auto` takes py2 where a Python 2.7 runs, else py3.

What was fetched and translated is kept in DIR, so later runs need no network; several processes may run this at the same time.
Needs Python 3.8 or newer with pip (or with a venv module that brings one).
"""

import argparse
import glob
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from provisioning import Unavailable, answer, attempt, find_pip, locked, run, says

VERSION = "0.7.3"
ARCHIVE = "pysig-%s.tar.gz" % VERSION
ARCHIVE_SHA256 = "0606d603df100765528d8435d3cba8aad8d5a22ae6460532c89ed1841e965c84"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default_dir = pathlib.Path(__file__).resolve().parents[2] / "target" / "pysig"
    parser.add_argument("--dir", type=pathlib.Path, default=default_dir, help="where to keep it (default: target/pysig)")
    parser.add_argument("--flavour", choices=["auto", "py2", "py3"], default="auto")
    parser.add_argument("--retry", action="store_true", help="try again even when the last attempt failed a moment ago")
    arguments = parser.parse_args()
    answer("pysig " + VERSION, lambda: provision(arguments.dir.resolve(), arguments.flavour, arguments.retry))


def provision(folder, flavour, retry):
    python2 = None if flavour == "py3" else find_python2()
    if flavour == "py2" and python2 is None:
        raise Unavailable("no Python 2.7 that runs was found (set SIG_PYTHON2 to its path)")
    flavour, python = ("py2", python2) if python2 else ("py3", sys.executable)

    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        package = prepared(folder, flavour, python, retry)
    return {"python": python, "pythonpath": str(package), "flavour": flavour, "version": VERSION}


def prepared(folder, flavour, python, retry):
    """The folder that holds the package `sig` in this flavour, made on the first call."""
    # The recipe is part of the name: a changed recipe, or another Python, never meets what an older one left behind.
    recipe = hashlib.sha256(pathlib.Path(__file__).read_bytes() + python.encode()).hexdigest()[:12]
    package = folder / ("%s-%s" % (flavour, recipe))
    if package.is_dir():
        return package

    archive = downloaded(folder, retry)
    work = pathlib.Path(tempfile.mkdtemp(prefix=flavour + "-", dir=str(folder)))
    try:
        unpack(archive, work)
        if flavour == "py3":
            translate(work, folder)
        check(python, work)
        work.rename(package)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return package


# --- which Python 2.7 ---------------------------------------------------------------------------------------------------------------


def find_python2():
    """A Python 2.7 that really runs: a version manager's shim is found on the path and then refuses."""
    candidates = [os.environ.get("SIG_PYTHON2"), shutil.which("python2.7"), shutil.which("python2")]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser(os.path.join("~", ".pyenv"))
    candidates += sorted(glob.glob(os.path.join(pyenv, "versions", "2.7*", "bin", "python2.7")))
    candidates += ["/usr/bin/python2.7", "/usr/local/bin/python2.7", "/opt/python2.7/bin/python2.7", r"C:\Python27\python.exe"]
    for candidate in candidates:
        if candidate and os.path.exists(candidate) and runs_python2(candidate):
            return candidate
    return None


def runs_python2(python):
    probe = "import sys, json, threading, SocketServer; sys.stdout.write('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([python, "-c", probe], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout == b"2.7"


# --- fetching -----------------------------------------------------------------------------------------------------------------------


def downloaded(folder, retry):
    archive = folder / ARCHIVE
    if archive.is_file() and sha256(archive) == ARCHIVE_SHA256:
        return archive
    with attempt(folder, retry):
        fetch(folder, archive)
    return archive


def fetch(folder, archive):
    pip = find_pip(folder)
    tools = install_tools(pip, folder, "setuptools<81", "wheel")
    with tempfile.TemporaryDirectory(dir=str(folder)) as work:
        work = pathlib.Path(work)
        # pip runs the package's setup.py, which imports `sig`, which does Python 2's `from main import *`. This main is what it finds.
        stub = work / "stub"
        stub.mkdir()
        (stub / "main.py").write_text('VERSION = "%s"\n' % VERSION)
        # Named with its hash, so that pip runs nothing of an archive that is not the one we know.
        wanted = work / "wanted.txt"
        wanted.write_text("pysig==%s --hash=sha256:%s\n" % (VERSION, ARCHIVE_SHA256))
        run(
            pip + ["download", "--no-deps", "--no-binary=:all:", "--no-build-isolation", "--dest", str(work), "--requirement", str(wanted)],
            pythonpath=[stub, tools],
        )
        if not (work / ARCHIVE).is_file():
            raise Unavailable("pip downloaded %s without leaving %s" % (sorted(os.listdir(str(work))), ARCHIVE))
        os.replace(str(work / ARCHIVE), str(archive))


def install_tools(pip, folder, *requirements):
    """The folder, to put on PYTHONPATH, that these packages are in."""
    tools = folder / ("tools-" + hashlib.sha256(" ".join(requirements).encode()).hexdigest()[:12])
    if not tools.is_dir():
        work = tempfile.mkdtemp(prefix="tools-", dir=str(folder))
        try:
            run(pip + ["install", "--no-warn-script-location", "--target", work] + list(requirements))
            os.rename(work, str(tools))
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return tools


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- unpacking and translating ------------------------------------------------------------------------------------------------------


def unpack(archive, target):
    """The package's own modules, as they are."""
    with tarfile.open(str(archive)) as tar:
        for member in tar.getmembers():
            parts = pathlib.PurePosixPath(member.name).parts
            if member.isfile() and parts[1:2] == ("sig",) and parts[-1].endswith(".py") and ".." not in parts:
                path = target.joinpath(*parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())


# file -> (what the translated text says, what it must say, how often)
SOCKET_FIXES = {
    "carrier/tcpclient.py": [
        # A document cut by recv(4096) is lost in Python 2, not fatal: so it must not raise here either.
        ("self.socket.recv(4096)", 'self.socket.recv(4096).decode("utf-8", "replace")', 1),
        ("self.socket.sendall(data)", 'self.socket.sendall(data.encode("utf-8"))', 2),
    ],
    "carrier/tcpserver.py": [
        ("self.request.recv(4096)", 'self.request.recv(4096).decode("utf-8", "replace")', 1),
        ("self.request.sendall(data)", 'self.request.sendall(data.encode("utf-8"))', 1),
        ("self.request.sendall(message)", 'self.request.sendall(message.encode("utf-8"))', 1),
        # Python 3 joins the clients' threads in server_close(), before stop() has ended them: it would wait for ever.
        ("    carrier = None\n", "    carrier = None\n    block_on_close = False\n", 1),
    ],
}


def translate(package, folder):
    tool = refactoring_tool(folder)
    for path in sorted(package.glob("sig/**/*.py")):
        name = path.relative_to(package / "sig").as_posix()
        if name == "carrier/local.py":
            path.unlink()  # its import is broken in Python 2 as well
            continue
        # Tabs stand for eight columns to Python 2 and are an error beside spaces to Python 3.
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n").expandtabs(8)
        if not text.strip():
            continue
        text = str(tool.refactor_string(text.rstrip("\n") + "\n", str(path)))
        for old, new, count in SOCKET_FIXES.get(name, []):
            if text.count(old) != count:
                raise Unavailable("the translation of %s has %r %d times, not %d" % (name, old, text.count(old), count))
            text = text.replace(old, new)
        path.write_bytes(text.encode("utf-8"))


def refactoring_tool(folder):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lib2to3 announces its own end
        try:
            from lib2to3 import refactor

            fixes = "lib2to3.fixes"
        except ImportError:
            sys.path.append(str(install_tools(find_pip(folder), folder, "fissix")))
            from fissix import refactor

            fixes = "fissix.fixes"
    import logging

    logging.getLogger("RefactoringTool").setLevel(logging.ERROR)
    return refactor.RefactoringTool(refactor.get_fixers_from_package(fixes))


def check(python, package):
    """It imports and it is the version asked for: what is kept is known to work."""
    runs, text = says(python, "import sig, sig.carrier.tcpserver, sig.carrier.tcpclient; print(sig.VERSION)", package)
    if not runs or text != VERSION:
        raise Unavailable("%s cannot import it: %s" % (python, text))


if __name__ == "__main__":
    main()
