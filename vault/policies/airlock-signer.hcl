# The signer: signs with the keys it is given, reads what it needs to find them, looks after its own
# credentials. It makes, changes, exports and deletes nothing.

path "transit/sign/sol-*" {
  capabilities = ["update"]
}

path "transit/sign/airlock-audit" {
  capabilities = ["update"]
}

path "transit/decrypt/airlock-envelopes" {
  capabilities = ["update"]
}

# At start: is the pinned public key there, and is the key neither exportable nor deletable?
path "transit/keys/sol-*" {
  capabilities = ["read"]
}

path "transit/keys/airlock-audit" {
  capabilities = ["read"]
}

path "transit/keys/airlock-envelopes" {
  capabilities = ["read"]
}

path "airlock/data/accounts/*" {
  capabilities = ["read"]
}

path "airlock/data/successors/*" {
  capabilities = ["read"]
}

# Its own server certificate, for a key that it made itself. Anybody may read the authority's certificate and
# its revocation list.
path "airlock-pki/sign/signer-server" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
