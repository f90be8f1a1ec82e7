"""What happens between UNPARSE and PARSE: files are decoded, described and made searchable."""
