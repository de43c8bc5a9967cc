"""--time_limit: the time for a whole command goes in; learning rates by the clock, and an end in time, come out.

Start with `limit.py`: the time used, and the time that the end will take. `schedule.py` has the rates.
"""
