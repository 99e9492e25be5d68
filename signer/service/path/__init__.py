"""The path of a signing request, one file a step.

In this order: replay, understand, gather, judge, reserve, sign. Each verdict leaves a record.
"""
