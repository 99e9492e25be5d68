"""The path of a signing request, one file a step.

In this order: replay, judge (which understands and gathers first), conclude (which reserves, then signs).
"""
