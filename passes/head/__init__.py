"""Detection heads: recognised by structure, folded to raw maps or to a tail that decodes survivors only."""
