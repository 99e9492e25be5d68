"""Following a rotation of the account: noticing it, accounting for it on the chain, going on."""
