"""How fast, beside a bare reference measured in the same run.

Asserts nothing: `make bench` prints, people judge.
"""
