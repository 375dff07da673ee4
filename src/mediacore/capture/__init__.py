"""Sources: what turns a device, or a file, into packets. One file per source."""
