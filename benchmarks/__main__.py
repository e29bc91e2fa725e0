"""python -m benchmarks: make the files, run the contests, print the report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import machine
from benchmarks.children import compile_product
from benchmarks.contests import PARTS, wanted
from benchmarks.goals import Judgement, judge
from benchmarks.scene import Scene, set_up
from benchmarks.tables import report
from benchmarks.turns import CPU, Score, profile, take_turns
from benchmarks.writers import writers_here


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        0; 1 when ours and the peers came to different counts.
    """
    asked = _parser().parse_args(arguments)
    compile_product()
    with _folder(asked.keep) as folder:
        scenes = [_set_up(folder, size, asked.seed) for size in asked.sizes]
        scores = [
            score
            for contests in wanted(asked.only or PARTS, scenes, asked.rows)
            for score in take_turns(contests, asked.rounds, _tell)
        ]
        for score in scores if asked.profile else ():
            if score.contest.size in (0, asked.sizes[-1]):
                profile(score)
        about = machine.describe(folder)
    judgements = judge(scores)
    tables = report(about, {scene.size: scene.returns for scene in scenes}, scores, judgements)
    print("\n\n".join(t.as_markdown() if asked.markdown else t.as_text() for t in tables))
    if asked.json:
        figures = _figures(about, asked.rounds, scenes, scores, judgements)
        asked.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")
    return 0 if all(score.agrees for score in scores) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[38, 1000],
        metavar="N,N",
        help="units of the cities, such as 38,1000,10000 (default: 38,1000)",
    )
    parser.add_argument("--rounds", type=_positive, default=3, help="of every contest (default: 3)")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help="this contest alone; may be given several times",
    )
    parser.add_argument(
        "--rows", type=_positive, default=100_000, help="of the big sheet (default: 100000)"
    )
    parser.add_argument("--seed", default="2024", help="of the answers")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="work here; what is there is used again"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--profile", action="store_true", help="say where ours spends its time in the largest city"
    )
    parser.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    return parser


def _sizes(text: str) -> list[int]:
    return sorted({_positive(number) for number in text.split(",")})


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
        return
    with TemporaryDirectory(prefix="bioduty-benchmarks-") as scratch:
        yield Path(scratch)


def _set_up(folder: Path, size: int, seed: str) -> Scene:
    _tell(f"making a city of {size:,} units and its returns")
    return set_up(folder / str(size), size, seed, writers_here())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _figures(
    about: dict[str, str],
    rounds: int,
    scenes: Sequence[Scene],
    scores: Sequence[Score],
    judgements: Sequence[Judgement],
) -> dict[str, Any]:
    """Everything, for who wants to reckon with it."""
    return {
        "machine": about,
        "rounds": rounds,
        "returns": {scene.size: scene.returns.as_json() for scene in scenes},
        "contests": [_figures_of(score) for score in scores],
        "goals": [{**asdict(one), "reached": one.reached} for one in judgements],
    }


def _figures_of(score: Score) -> dict[str, Any]:
    contest = score.contest
    return {
        "part": contest.part,
        "title": contest.title,
        "size": contest.size,
        "piece": contest.piece,
        "against": contest.against,
        "agrees": score.agrees,
        "profile": score.profile,
        "ways": {
            way.key: {
                "title": way.title,
                "seconds": asdict(score.seconds(way.key)),
                "cost_ms": score.costs(way.key),
                "ratio": asdict(score.ratio(way.key, contest.against)),
                "cpu_cost_ms": score.costs(way.key, CPU),
                "cpu_ratio": asdict(score.ratio(way.key, contest.against, CPU)),
                "counts": score.counts.get(way.key, {}),
                "runs": [asdict(one) for one in score.runs[way.key]],
            }
            for way in contest.ways
        },
    }


if __name__ == "__main__":
    sys.exit(main())
