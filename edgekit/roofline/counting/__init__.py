"""What a file has to compute and to move, read from the file itself, one reader per format."""
