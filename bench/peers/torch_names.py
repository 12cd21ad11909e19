"""Names that are known before torch is imported."""

WIRINGS = ("residual", "shc", "dhc", "mhc", "frac")
