"""What can be learned from a dataset: predictors with baselines. Arrays in, tables out."""
