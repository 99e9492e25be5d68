"""The path of a signing request, one file a step, in this order: replay, understand, gather, judge, reserve, sign."""
