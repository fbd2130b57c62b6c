"""What the activations of a dataset say: arrays in, tables out; no files, no pictures."""
