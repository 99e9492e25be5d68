"""`make demo`: the first trade on real parts, then a robbery that fails, then the books against the chain."""
