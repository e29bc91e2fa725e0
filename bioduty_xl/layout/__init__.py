"""Every sheet declared once, and how a declared sheet meets a real one."""
