"""Figures that others have published, as facts with source and date; and what they can mean."""
