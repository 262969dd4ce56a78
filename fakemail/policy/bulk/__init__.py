"""What large receivers publish that they ask of those who send much: rules, and packs of them."""
