"""Run scripts one after the other in the same processes, which import the libraries only once.

torchrun … scripts_in_sequence.py FOLDER '[["generate", "--prompt", "…"], …]' writes the exit code and stdout of each to
FOLDER/0.json, 1.json, …; the other processes must print nothing.
"""

import contextlib
import functools
import importlib
import io
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import torch
from running import run_script

from utils import distributed

# Processes that have disconnected cannot connect again.
torch.distributed.init_process_group = functools.cache(torch.distributed.init_process_group)
torch.distributed.destroy_process_group = lambda: None

folder, runs = Path(sys.argv[1]), json.loads(sys.argv[2])
for number, (script, *words) in enumerate(runs):
    main = importlib.import_module(script).main
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_script(main, *words)
    if distributed.is_main_process():
        (folder / f"{number}.json").write_text(json.dumps([code, out.getvalue()]))
    elif code or out.getvalue() or err.getvalue():
        sys.exit(
            f"process {distributed.rank()} ended {script} with {code} and said {out.getvalue()!r} {err.getvalue()!r}"
        )
