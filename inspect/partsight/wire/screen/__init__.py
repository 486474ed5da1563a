"""Types of the API (HTTP and WebSocket): what the daemon answers, and what screens ask.

`Answer` and its children go out, `Request` and its children come in; see `stream` for the WebSocket.
"""
