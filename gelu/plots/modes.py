"""The ways to draw a sample; apart, so that a script can name them without matplotlib."""

DEFAULT, CINEMATIC, CINEMATIC_NO_TEXT = "default", "cinematic", "cinematic_no_text"
MODES = (DEFAULT, CINEMATIC, CINEMATIC_NO_TEXT)
