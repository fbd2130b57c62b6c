"""Write `varied.csv`: 640 beginnings of documents of every kind that gpt2-demo has read.

Example:
  python parcellation_datasets/write_varied.py

The documents come from the writer of gpt2-demo's training text, of a seed of their own. Each is cut
after 2 to 24 words, within its first line. No prompt begins like another whole prompt, so that each
can be held out alone. The same command writes the same bytes.
"""

import csv
import io
import itertools
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
SEED, NUMBER = 6_000_003, 640
WORDS, NEW_TOKENS = (2, 24), (40, 80)


def main() -> None:
    """Write the file beside this script."""
    sys.path[:0] = [str(ROOT), str(ROOT / "models" / "gpt2-demo" / "training")]
    from gelu.artifacts import write_bytes

    path = FOLDER / "varied.csv"
    write_bytes(path, [prompts_csv(SEED, NUMBER).encode()])
    print(path.relative_to(ROOT))


def prompts_csv(seed: int, number: int) -> str:
    """Return a prompts CSV with so many prompts, one completion each, kinds in turns."""
    rng = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["prompts", "number_of_new_tokens", "num_samples"])
    for prompt in _prompts(rng, number):
        writer.writerow([prompt, rng.randint(*NEW_TOKENS), 1])
    return text.getvalue()


def _prompts(rng: random.Random, number: int) -> list[str]:
    import corpus
    from corpus.kinds import KINDS

    prompts: list[str] = []
    for kind in itertools.cycle(KINDS):
        if len(prompts) == number:
            break
        words = corpus.document(kind, rng).split("\n")[0].split(" ")
        # Never the whole line: what follows a finished document says little about its beginning.
        n_words = min(rng.randint(*WORDS), len(words) - 1)
        prompt = " ".join(words[:n_words])
        if n_words >= WORDS[0] and not any(_one_begins(prompt, other) for other in prompts):
            prompts.append(prompt)
    return prompts


def _one_begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


if __name__ == "__main__":
    main()
