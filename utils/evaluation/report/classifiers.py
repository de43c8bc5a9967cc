"""Sections of the report on models that classify texts."""

from utils.evaluation.report.section import Section


def sections(evaluation: dict) -> list[Section]:
    """Return the sections, the most important first."""
    return []
