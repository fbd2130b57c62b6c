"""What a run could not compute, and what it computed on a part of the samples.

notes = Notes.of(samples)                   # begins with what the table lacks
table = importance_table(samples, seed, notes)
notes.skipped, notes.subsampled             # part of the run's result
"""

from dataclasses import dataclass, field

from gelu.samples.arrays import Samples


@dataclass(frozen=True)
class Notes:
    """skipped: what was not computed -> why; subsampled: what rests on a part -> on which.

    Made by whoever runs, handed to what computes as an argument of this name, and part of the
    run's result.
    """

    skipped: dict[str, str] = field(default_factory=dict)
    subsampled: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Samples) -> "Notes":
        """Return notes that begin with what the samples themselves lack."""
        return cls(dict(samples.skipped))
