"""Public tools for testing graphs and rules: strategies, derived tests, proofs, comparisons."""
