"""Packets to frames: one decoder per stream, in a thread of its own, while somebody needs frames."""
