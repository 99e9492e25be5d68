"""Words of the trader: values and life-cycle tables. Standard library only; no I/O, no clock."""
