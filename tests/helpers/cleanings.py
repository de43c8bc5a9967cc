"""Settings of cleaning that do nothing, or one thing only."""

from dataclasses import asdict

from utils.text.cleaning import CHOICES, Cleaning

NOTHING = Cleaning(**dict.fromkeys(CHOICES, "keep"))


def only(**choice: str) -> Cleaning:
    return Cleaning(**{**asdict(NOTHING), **choice})
