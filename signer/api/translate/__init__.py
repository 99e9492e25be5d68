"""Protobuf ⇄ domain. Strict: every field is checked, and a refusal names the field and what is allowed."""
