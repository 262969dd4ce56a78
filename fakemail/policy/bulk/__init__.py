"""Requirements that large receivers publish for bulk senders: rules, and packs of them."""
