"""Vocabularies of the user: terminologies whose terms are looked up in passages and put into prompts."""
