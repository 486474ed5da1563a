"""HTTP and WebSocket: what screens, browsers, scripts and Prometheus talk to. Runs in a process of its own.

`settings`: the `[api]` table. `link`: the daemon's end; `app`: the server's.
"""
