"""Dates whose weekdays, days and months fit together."""

import datetime
import random
from dataclasses import dataclass

from .english import number_word
from .lexicon.nature import MONTHS, SEASON_OF_MONTH, WEEKDAYS

FIRST_YEAR, LAST_YEAR = 1950, 2030


@dataclass(frozen=True)
class Day:
    """One day of the calendar, with its English names."""

    date: datetime.date

    @property
    def weekday(self) -> str:
        """Return the name of the weekday."""
        return WEEKDAYS[self.date.weekday()]

    @property
    def month(self) -> str:
        """Return the name of the month."""
        return MONTHS[self.date.month - 1]

    @property
    def season(self) -> str:
        """Return the season in the northern half of the world."""
        return SEASON_OF_MONTH[self.date.month - 1]

    @property
    def short(self) -> str:
        """Return for example "3 May"."""
        return f"{self.date.day} {self.month}"

    @property
    def full(self) -> str:
        """Return for example "Monday, 3 May"."""
        return f"{self.weekday}, {self.short}"

    def later(self, days: int) -> "Day":
        """Return the day that many days later (or earlier, if negative)."""
        return Day(self.date + datetime.timedelta(days=days))


def any_day(rng: random.Random) -> Day:
    """Return a random day."""
    first = datetime.date(FIRST_YEAR, 1, 1).toordinal()
    last = datetime.date(LAST_YEAR, 12, 31).toordinal()
    return Day(datetime.date.fromordinal(rng.randint(first, last)))


def in_days(days: int) -> str:
    """Return "in two days" or "in one day"."""
    return f"in {number_word(days)} day{'s' if days > 1 else ''}"
