"""In which order the tensors lie in memory."""
