"""Conversion steps, one target each, found through the entry-point group `edgekit.exporters`."""
