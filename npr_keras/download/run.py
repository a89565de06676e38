"""What to fetch for a data root, and fetching it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from npr_keras.download.addresses import Archive, Download
from npr_keras.download.fetch import Remote, fetch, look_up
from npr_keras.download.unpack import ENDINGS, merge, unpack
from npr_keras.errors import DownloadError
from npr_keras.locks import locked
from npr_keras.packages import import_needed

_DRIVE = "Google Drive"
_ARCHIVES = ".downloads"  # below the set's folder, until it is unpacked


@dataclass(frozen=True)
class Plan:
    """What one set takes.

    Attributes:
        download: The set.
        folder: Where it is going to lie.
        files: Each part of each archive: the archive, the part's path and what its server tells.
        size: Bytes in all; None where that is not known.
        here: Bytes of them that are there already.
        free: Bytes free on the disk.
        done: Names of archives that an earlier call has unpacked.
    """

    download: Download
    folder: Path
    files: tuple[tuple[Archive, Path, Remote], ...]
    size: int | None
    here: int
    free: int
    done: tuple[str, ...] = ()


def make_plan(download: Download, data_root: str | os.PathLike) -> Plan:
    """Asks the servers how much there is to fetch.

    Raises:
        DownloadError: If a link is dead, saying what to do instead.
    """
    folder = Path(data_root, download.folder)
    files, done = [], []
    if download.drive and _marker(folder, _DRIVE).exists():
        done.append(_DRIVE)
    try:
        for archive in download.archives:
            if _marker(folder, archive.name).exists():
                done.append(archive.name)
                continue
            for url, name in zip(archive.urls, archive.files, strict=True):
                files.append((archive, folder / _ARCHIVES / name, look_up(url)))
    except DownloadError as error:
        raise DownloadError(f"{error}\n{_instead(download, folder)}") from error
    singles = download.single_files()
    for one in singles:
        files.append(
            (
                Archive(one.path, (one.url,)),
                folder / one.path,
                Remote(one.url, one.size, one.sha256),
            )
        )
    sizes = [remote.size for _, _, remote in files]
    known = not download.drive and None not in sizes
    here = 0
    for _, path, _ in files:
        for there in (path, path.with_name(path.name + ".part")):
            here += there.stat().st_size if there.exists() else 0
    return Plan(
        download,
        folder,
        tuple(files),
        sum(size or 0 for size in sizes) if known else None,
        here,
        _free(folder),
        tuple(done),
    )


def run_plan(
    plan: Plan,
    keep_archives: bool = False,
    progress: Callable[[str, int], None] | None = None,
    keep: Sequence[str] = (),
) -> int:
    """Fetches and unpacks a set; broken off, another call goes on.

    Args:
        plan: See `make_plan`.
        keep_archives: Whether archives stay after they were unpacked.
        progress: Called with what is being fetched and the number of bytes since the last call.
        keep: Folders that an archive's top level may consist of, see `unpack`.

    Returns:
        The number of files unpacked.

    Raises:
        DownloadError: If anything cannot be had whole or unpacked safely.
    """
    if plan.download.drive:
        return 0 if plan.done else _fetch_drive(plan, keep_archives, keep)
    with locked(plan.folder, "downloading"):
        return _fetch(plan, keep_archives, progress, keep)


def _fetch(plan: Plan, keep_archives: bool, progress, keep: Sequence[str]) -> int:
    """`run_plan` of files with addresses, in a folder that is locked."""
    free = _free(plan.folder)
    if plan.size is not None and plan.size - plan.here > free:
        raise DownloadError(
            f"{plan.download.title}: {plan.size - plan.here:,} bytes are to come, and {free:,} are "
            f"free in {plan.folder}. Make room, or give another --data-root."
        )
    count = 0
    for archive in dict.fromkeys(archive for archive, _, _ in plan.files):
        parts = [(path, remote) for one, path, remote in plan.files if one == archive]
        for path, remote in parts:
            told = (lambda n, name=path.name: progress(name, n)) if progress else None
            try:
                fetch(remote, path, told)
            except DownloadError as error:
                instead = _instead(plan.download, plan.folder)
                raise DownloadError(f"{error}\n{instead}") from error
        paths = [path for path, _ in parts]
        if plan.download.files:
            count += len(paths)
            continue
        count += unpack(paths, plan.folder / archive.into, {k.lower() for k in keep})
        _marker(plan.folder, archive.name).touch()
        if not keep_archives:
            for path in paths:
                path.unlink()
    return count


def _marker(folder: Path, name: str) -> Path:
    """The file that says that an archive was unpacked."""
    return folder / _ARCHIVES / f"{name}.unpacked"


def _free(folder: Path) -> int:
    """Bytes free where a folder is, or is going to be."""
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    return shutil.disk_usage(existing).free


def _fetch_drive(plan: Plan, keep_archives: bool, keep: Sequence[str]) -> int:
    """A folder of Google Drive, by gdown, and the archives in it."""
    gdown = import_needed("gdown", "A folder of Google Drive")
    target = plan.folder / _ARCHIVES / "drive"
    target.mkdir(parents=True, exist_ok=True)
    try:
        paths = gdown.download_folder(id=plan.download.drive, output=str(target), resume=True)
    # gdown raises what requests and its own parsers of Google's pages do.
    except Exception as error:
        raise DownloadError(
            f"{plan.download.page}: {error}\n{_instead(plan.download, plan.folder)}"
        ) from error
    if not paths:
        raise DownloadError(
            f"{plan.download.page} gave nothing.\n{_instead(plan.download, plan.folder)}"
        )
    count = 0
    archives: dict[str, list[Path]] = {}
    for path in sorted(Path(str(path)) for path in paths):
        whole = re.sub(r"\.\d{3}$", "", os.fspath(path))
        if whole.lower().endswith(ENDINGS):
            archives.setdefault(whole, []).append(path)
    for whole, parts in archives.items():
        into = plan.folder / Path(whole).relative_to(target).parent
        count += unpack(parts, into, {k.lower() for k in keep})
    # Only now: a call that was broken off finds everything that it fetched.
    for parts in archives.values():
        for path in parts if not keep_archives else ():
            path.unlink()
    if not keep_archives:
        count += merge(plan.download.page, target, plan.folder)
        shutil.rmtree(target)
    _marker(plan.folder, _DRIVE).touch()
    return count


def _instead(download: Download, folder: Path) -> str:
    return (
        f"The link may be dead, or the server down. Instead: open {download.page} in a browser, or "
        f"take a copy that you have, and unpack it to {folder}. npr-keras suites --data-root "
        f"{folder.parent} tells what is found there."
    )
