"""Reads the official document and the plan workbook."""
