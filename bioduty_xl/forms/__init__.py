"""Makes the workbooks that units fill."""
