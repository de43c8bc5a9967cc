"""Numbers of any size as people read them."""


def rounded(number: float, decimals: int) -> str:
    """Return a number with so many decimals, or with so many digits if it is smaller: "12.346", "0.000124"."""
    return f"{number:.{decimals}f}" if abs(number) >= 0.1 or number == 0 else f"{number:.{decimals}g}"
