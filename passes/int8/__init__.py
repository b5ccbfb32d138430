"""INT8 rewriting: activations, then weights."""
