"""Programs that measure: each one measures, stores JSON in ``results/`` and prints a table."""
