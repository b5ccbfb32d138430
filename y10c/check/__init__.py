"""What runs where and why: a chip's constraints as declarations, placement, the cut between chip and host."""
