"""What the scripts at the top share: models, recording, files, statistics, plots."""
