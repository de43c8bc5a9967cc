"""Sections of the report on models that find emoji."""

from utils.evaluation.report.section import Section


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first."""
    return []
