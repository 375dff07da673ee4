"""One viewer's WebRTC connection: negotiation, transport, media out, control in."""
