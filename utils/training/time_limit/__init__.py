"""--time_limit: in goes the time for a whole command, out come learning rates by the clock, and an end in time.

Start with `limit.py`: what of the time is used, and what the end will take. `schedule.py` has the rates.
"""
