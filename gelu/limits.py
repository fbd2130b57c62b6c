"""Bounds that arguments and files share."""

# Beyond it neither JSON's readers elsewhere nor a float hold every whole number.
LARGEST_WHOLE = (1 << 53) - 1
