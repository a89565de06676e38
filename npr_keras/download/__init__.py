"""Published data sets from where they lie to a data root."""

from npr_keras.download.addresses import downloads, get_download
from npr_keras.download.run import Plan, make_plan, run_plan

__all__ = ["Plan", "downloads", "get_download", "make_plan", "run_plan"]
