"""How a settings file is read, and what is said of one that cannot be."""
