"""One device's stream: its source, its renditions and their consumers."""
