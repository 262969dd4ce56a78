"""A whole mail internet inside one test."""
