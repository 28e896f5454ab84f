"""The nouns of maskmill: table schemas, configurations, vocabularies, label maps and exceptions."""
