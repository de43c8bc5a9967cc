"""The report: evaluation.json goes in, one page of HTML comes out that needs no network, no script and no other file.

Open `page.py` first: `render(evaluation)` is a pure function, so evaluation.json has every point that is drawn.
`summary.py` makes the verdict and the table under it. The sections of a kind of task are in `classifiers.py`,
`writers.py`, `answers.py` and `emoji.py`, each with `sections(evaluation) -> list[Section]`, the most important first;
those of all tasks are in `recipe.py`. What a section may hold (sentences, plots, tables, texts) is in `section.py`, and
plots come from `utils.plots`.

Texts are strangers': a section gives them as they are, in full. The page escapes them, isolates their direction, shows
their controls and cuts them. A section is left out where evaluation.json lacks its points, as those of earlier
versions do.
"""
