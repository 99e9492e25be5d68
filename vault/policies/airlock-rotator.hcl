# The rotator: moves envelopes to a new wrapping key and hands out new secret ids. It never decrypts, and
# it cannot read a secret id that it hands out.

path "transit/keys/airlock-envelopes" {
  capabilities = ["read"]
}

path "transit/keys/airlock-envelopes/rotate" {
  capabilities = ["update"]
}

# Old versions can be switched off; exporting, deleting and backing up stay as they are.
path "transit/keys/airlock-envelopes/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "transit/encrypt/airlock-envelopes" {
  capabilities = ["update"]
}

path "transit/rewrap/airlock-envelopes" {
  capabilities = ["update"]
}

path "airlock/metadata/accounts/" {
  capabilities = ["list"]
}

path "airlock/data/accounts/*" {
  capabilities = ["create", "read", "update"]
}

# Written once: where an account moves to does not change any more.
path "airlock/data/successors/*" {
  capabilities = ["create", "read"]
}

# Wrapped, or not at all: only the program that unwraps it ever sees the secret id. `metadata` is the only
# parameter, so that the limits of the role are what they are.
path "auth/approle/role/airlock-signer/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "24h"
  allowed_parameters = {
    "metadata" = []
  }
}

path "auth/approle/role/airlock-trader/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "24h"
  allowed_parameters = {
    "metadata" = []
  }
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
