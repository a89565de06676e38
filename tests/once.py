"""What takes long to make, made by the first of the test processes that asks for it."""

import os
import pickle

from filelock import FileLock


def made_once(tmp_path_factory, name, make):
    """What `make(folder)` returned, in whichever process.

    Args:
        tmp_path_factory: pytest's.
        name: The folder's, the same in all processes.
        make: Fills an empty folder; what it returns can be pickled. Nobody changes either afterwards.
    """
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / name
    with FileLock(f"{folder}.lock"):
        result = base / f"{name}.pickle"
        if not result.exists():
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(result.read_bytes())
