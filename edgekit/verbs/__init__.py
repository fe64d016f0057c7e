"""What edgekit does, one function a verb: takes values and a `Report`, returns data."""
