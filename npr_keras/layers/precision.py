"""Where half precision would lose what NPR is made of."""


def at_least_float32(dtype: str) -> str:
    """`"float64"` for float64, `"float32"` for everything else.

    (`keras.backend.result_type` gives float32 for float64 on the torch backend.)
    """
    return "float64" if dtype == "float64" else "float32"
