"""Archives to unpack."""

import io
import zipfile

import py7zr


def make_zip(path, files):
    """Writes a zip archive of a dict from names to bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_7z(path, files):
    """Writes a 7z archive of a dict from names to bytes."""
    with py7zr.SevenZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writef(io.BytesIO(data), name)
    return path
