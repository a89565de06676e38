"""Photographs and decoders to a source in the official layout: resumable, with a manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from npr_keras.atomic import replacing, write_text
from npr_keras.data.decode import FORMATS
from npr_keras.data.walk import list_images
from npr_keras.errors import ConfigError, LayoutError, RunError, UnreadableImageError
from npr_keras.locks import locked
from npr_keras.reconstruction.base import Decoder
from npr_keras.reconstruction.pairs import Pair, make_pair, window_of
from npr_keras.reconstruction.plan import ReconstructionConfig
from npr_keras.settings import differences
from npr_keras.versions import versions

PLAN_FILE = "reconstruction.json"
MANIFEST_FILE = "pairs.csv"
_LOG_FILE = "pairs.jsonl"  # what was made so far, a line each, in the order of the making


@dataclass(frozen=True)
class _Job:
    """A pair to make."""

    decoder: str
    index: int
    photo: str
    split: str

    @property
    def name(self) -> str:
        return f"{self.split}/{self.decoder}/{self.index:06d}"

    def file(self, out: Path, label: str) -> Path:
        return out / self.split / self.decoder / label / f"{self.index:06d}.png"


def reconstruct(
    out: str | os.PathLike,
    photos: str | os.PathLike,
    decoders: Mapping[str, Decoder],
    config: ReconstructionConfig,
    licence: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> dict:
    """Makes pairs that differ in nothing but the trace of a generator's last stage.

    Both pictures of a pair have one name and are PNG, under train/<decoder>/{0_real,1_fake} and
    val/...; a photograph is in one of these alone. Same photographs, decoders, settings, backend and
    machine: the same files, byte for byte, however often it was killed.

    Args:
        out: The folder; where it holds a part of this, the rest is made.
        photos: The folder of photographs, with all below it.
        decoders: By the name of their folder, see `npr_keras.reconstruction.base.open_decoder`.
        config: What to make.
        licence: The photographs', for the manifest.
        progress: Called with the decoder's name, how many pairs are done and how many there will be.

    Returns:
        A report: "pairs", "decoders" (pairs and PSNR in dB of each) and "left_out" (photographs that
        were not used, and why).

    Raises:
        RunError: If the folder holds something else, or another process is at it.
        LayoutError: If there are no photographs that are large enough.
    """
    out = Path(out)
    if out.resolve().is_relative_to(Path(photos).resolve()):
        raise ConfigError(
            f"{out} lies in the folder of photographs, {photos}: what is made would be taken for "
            "photographs. Choose another folder."
        )
    window = max(window_of(decoder, config) for decoder in decoders.values())
    paths, left_out = _photographs(photos, window)
    settings = _settings(config, decoders, paths, photos, licence)
    with locked(out, "making pairs"):
        _begin(out, settings)
        jobs = _jobs(paths, list(decoders), config)
        rows = []
        for i, row in enumerate(_made(out, jobs, decoders, config, left_out), start=1):
            rows += [row] if row else []
            if progress:
                progress(jobs[i - 1].decoder, i, len(jobs))
        _write_manifest(out, rows, photos, decoders, licence)
    return _report(rows, decoders, left_out)


def _photographs(folder, window: int) -> tuple[list[str], dict[str, str]]:
    """Those of at least `window` pixels a side, and why others are left out."""
    if not os.path.isdir(folder):
        raise LayoutError(f"No such folder of photographs: {os.fspath(folder)}")
    found, left_out = [], {}
    for path in list_images(folder):
        try:
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
        except Exception:  # whatever a broken file makes of Pillow's plugins
            left_out[path] = f"{path}: not an image that can be read."
            continue
        if min(width, height) < window:
            left_out[path] = f"{path}: {width} x {height} pixels is too small."
        else:
            found.append(path)
    if not found:
        reason = next(iter(left_out.values()), "no image files in it")
        raise LayoutError(
            f"No photographs of at least {window} x {window} pixels under {os.fspath(folder)} (pictures "
            f"are made with a margin). {reason}"
        )
    return found, left_out


def _settings(config, decoders, paths, photos, licence) -> dict:
    listed = [(os.path.relpath(path, photos), os.path.getsize(path)) for path in paths]
    digest = hashlib.sha256(repr(listed).encode("utf-8", "surrogateescape")).hexdigest()
    settings = {
        **config.to_dict(),
        "decoders": {name: [type(d).__name__, d.digest] for name, d in decoders.items()},
        "photographs": digest[:16],
        "licence": licence,
        "backend": keras.backend.backend(),
    }
    return json.loads(json.dumps(settings))


def _begin(out: Path, settings: dict) -> None:
    """Notes what is made here, or compares it with what was noted."""
    file = out / PLAN_FILE
    if not file.exists():
        if any(not path.name.startswith(".") for path in out.iterdir()):
            raise RunError(
                f"{out} is not empty and holds no reconstruction. Expected a new folder."
            )
        stored = {"settings": settings, "versions": versions()}
        write_text(file, json.dumps(stored, indent=2) + "\n")
        return
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} does not describe a reconstruction: {error!r}") from error
    changed = [f"  {n}: was {was!r}, now {now!r}" for n, was, now in differences(stored, settings)]
    if changed:
        raise RunError(
            f"{out} holds a reconstruction with other settings:\n"
            + "\n".join(changed)
            + "\nUse the old settings, or another folder."
        )


def _jobs(paths: Sequence[str], names: Sequence[str], config: ReconstructionConfig) -> list[_Job]:
    """All pairs: of one photograph together, as it takes long to decode; decoders take turns."""
    order = np.random.default_rng(config.seed).permutation(len(paths))
    apart = round(len(paths) * config.validation)
    apart = min(max(apart, int(config.validation > 0)), len(paths) - 1)
    parts = {"val": [paths[i] for i in order[:apart]], "train": [paths[i] for i in order[apart:]]}
    count = {"val": round(config.count * config.validation) if apart else 0}
    count["train"] = config.count - count["val"]
    jobs = []
    for split, members in parts.items():
        first = 0 if split == "train" else count["train"]
        for i in range(count[split]):
            photo = members[i * len(members) // count[split]] if count[split] else ""
            jobs += [_Job(name, first + i, photo, split) for name in names]
    return jobs


def _done(out: Path, jobs: Mapping[str, _Job]) -> dict[str, dict]:
    """What was made before: a line in the log, and both files. A torn last line counts as none."""
    file = out / _LOG_FILE
    if not file.exists():
        return {}
    for torn_picture in out.rglob(".*.png"):  # a kill left it under its temporary name
        torn_picture.unlink()
    text = file.read_text(encoding="utf-8")
    whole, _, torn = text.rpartition("\n")
    if torn:
        write_text(file, f"{whole}\n" if whole else "")
    found = {}
    for line in whole.splitlines():
        row = json.loads(line)
        job = jobs.get(row["pair"])
        if job and all(job.file(out, label).exists() for label in ("0_real", "1_fake")):
            found[row["pair"]] = row
    return found


def _made(out, jobs, decoders, config, left_out) -> Iterator[dict | None]:
    """Each pair's line of the log, made now or before; None where the photograph cannot be read."""
    done = _done(out, {job.name: job for job in jobs})
    with open(out / _LOG_FILE, "a", encoding="utf-8") as log:
        for job in jobs:
            if job.name not in done:
                try:
                    done[job.name] = _make(out, job, decoders[job.decoder], config)
                except UnreadableImageError as error:
                    left_out[job.photo] = str(error)
                    yield None
                    continue
                log.write(json.dumps(done[job.name]) + "\n")
                log.flush()
            yield done[job.name]


def _make(out: Path, job: _Job, decoder: Decoder, config: ReconstructionConfig) -> dict:
    pair = make_pair(job.photo, job.decoder, job.index, decoder, config)
    for label, pixels in (("0_real", pair.real), ("1_fake", pair.fake)):
        file = job.file(out, label)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            Image.fromarray(pixels).save(temporary, "PNG", compress_level=1)
    return {"pair": job.name, "photo": job.photo, "psnr": _psnr(pair), **pair.facts}


def _psnr(pair: Pair) -> float:
    error = np.mean((pair.real.astype(np.float64) - pair.fake) ** 2)
    return round(float(10 * np.log10(255**2 / max(error, 1e-4))), 3)


def _write_manifest(out: Path, rows, photos, decoders, licence: str) -> None:
    """A line a pair: where both pictures are from, and all that was done to them."""
    digests: dict[str, str] = {}
    text = io.StringIO()
    table = []
    for row in rows:
        path = row["photo"]
        if path not in digests:
            with open(path, "rb") as file:
                digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
        decoder = row["pair"].split("/")[1]
        table.append(
            {
                **row,
                "photo": os.path.relpath(path, photos),
                "photo_sha256": digests[path],
                "licence": licence,
                "decoder_sha256": decoders[decoder].digest,
                "crop": " ".join(map(str, row["crop"])),
                "offset": " ".join(map(str, row["offset"])),
            }
        )
    writer = csv.DictWriter(text, list(table[0]) if table else ["pair"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(out / MANIFEST_FILE, text.getvalue())


def _report(rows, decoders, left_out) -> dict:
    found = {}
    for name in decoders:
        own = [row["psnr"] for row in rows if row["pair"].split("/")[1] == name]
        found[name] = {"pairs": len(own), "psnr": float(np.mean(own)) if own else None}
    return {"pairs": len(rows), "decoders": found, "left_out": left_out}
