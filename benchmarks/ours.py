"""Ours, end to end in one process: what is in the inbox becomes the consolidated workbook.

python ours.py WORKSPACE PERIOD COLLECTED SHOWN: the moments of the pass over the inbox and of the
book. Says how long each of the two took of the whole.
"""

import json
import sys
import time

from bioduty_xl import Workspace


def main(root: str, period: str, collected: str, shown: str) -> None:
    """Collect and consolidate."""
    started = time.perf_counter()
    workspace = Workspace.open(root)
    workspace.collect(as_of=collected)
    taken = time.perf_counter()
    workspace.consolidate(period, as_of=shown)
    done = time.perf_counter()
    print(json.dumps({"collect": taken - started, "consolidate": done - taken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
