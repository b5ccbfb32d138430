"""The pipeline: passes in order, stages with files, and what is told about them."""
