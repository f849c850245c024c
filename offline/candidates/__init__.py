"""Images to choose from: drawn from seeds, kept as files, compared."""
