"""Frames to packets: one encoder per rendition, in a thread of its own."""
