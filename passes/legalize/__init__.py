"""What a chip refuses, written with what it runs. The rules know no chip: its operator list calls them."""
