"""What is drawn: one file a chart. `looks` holds what all share."""
