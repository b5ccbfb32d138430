"""What a package of its own can add to y10c."""
