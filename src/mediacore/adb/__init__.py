"""The way to devices: an asyncio client of the adb server's smart socket.

adbutils is used for one thing, to find the adb program; everything else is spoken by this folder itself.
"""
