"""Where a message goes: to the provider (http), to the terminal (console), to a list (locmem)."""
