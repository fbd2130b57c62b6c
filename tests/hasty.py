"""Imported by the process that forks for tests of the hub: its forks wait a tenth between tries."""

from gelu.model import download

download.PAUSES = (0.1, 0.2)
