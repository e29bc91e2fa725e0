"""The findings that a return can get, each with its code."""
