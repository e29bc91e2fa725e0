"""Turns the standing of a period into the consolidated workbook."""
