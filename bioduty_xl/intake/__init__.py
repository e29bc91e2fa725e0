"""Takes what comes back: gate, child process, reading, filing."""
