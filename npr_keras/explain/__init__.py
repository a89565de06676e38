"""Where in a picture the evidence sits."""

from npr_keras.explain.maps import Explanation, explain, region_logits

__all__ = ["Explanation", "explain", "region_logits"]
