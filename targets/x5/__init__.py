"""The RDK X5 target."""
