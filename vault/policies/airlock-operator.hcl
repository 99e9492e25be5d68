# The operator, a person: makes accounts, signs an admin's certificate, takes certificates and credentials
# back. It cannot sign, decrypt, export or delete.

# `type` alone: a key that is made here is never exportable. The rest is an import of a key that existed.
path "transit/keys/sol-*" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"          = ["ed25519"]
    "ciphertext"    = []
    "hash_function" = []
  }
}

path "transit/wrapping_key" {
  capabilities = ["read"]
}

path "transit/keys/airlock-envelopes" {
  capabilities = ["read"]
}

path "transit/encrypt/airlock-envelopes" {
  capabilities = ["update"]
}

# No "update": an envelope that is there is not overwritten.
path "airlock/data/accounts/*" {
  capabilities = ["create", "read"]
}

path "airlock/metadata/accounts/" {
  capabilities = ["list"]
}

path "airlock-pki/sign/admin-client" {
  capabilities = ["update"]
}

path "airlock-pki/certs/" {
  capabilities = ["list"]
}

path "airlock-pki/revoke" {
  capabilities = ["update"]
}

path "auth/approle/role/+/role-id" {
  capabilities = ["read"]
}

path "auth/approle/role/airlock-rotator/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "24h"
  allowed_parameters = {
    "metadata" = []
  }
}

# Taking back: the secret ids of a role that nobody has used yet, and a token by its accessor.
path "auth/approle/role/+/secret-id/" {
  capabilities = ["list"]
}

path "auth/approle/role/+/secret-id-accessor/destroy" {
  capabilities = ["update"]
}

path "auth/token/revoke-accessor" {
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
