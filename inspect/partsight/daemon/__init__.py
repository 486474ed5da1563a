"""The headless process: from a configuration to a running station. The one place where parts are put together."""
