"""The forecast of a run before it starts: steps, tokens, memory, disk and time.

In: what `prepare` returns, and the flags. Out: the `Forecast` of --dry_run, or a refusal of a run that cannot fit. Open
`dry_run.py` first, and `fit.py` for the refusal.
"""
