"""The hand-over kit: what the closed toolchain needs to turn our decisions into a program for the chip."""
