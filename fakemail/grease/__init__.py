"""Legal variety, for apps that should rely on standards and on nothing else. Values only; sessions use them."""
