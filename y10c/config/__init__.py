"""The users' YAML: every key declared once, read with positions, checked as a whole, shown with origins."""
