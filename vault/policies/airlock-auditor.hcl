# The auditor: reads what `airlock-signer vault bootstrap --check` compares and what `audit verify` needs.
# No envelope, no secret, no signature, no change.

path "transit/keys/" {
  capabilities = ["list"]
}

path "transit/keys/+" {
  capabilities = ["read"]
}

path "sys/audit" {
  capabilities = ["read", "sudo"]
}

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/auth" {
  capabilities = ["read"]
}

path "sys/policies/acl/" {
  capabilities = ["list"]
}

path "sys/policies/acl/+" {
  capabilities = ["read"]
}

path "auth/approle/role/" {
  capabilities = ["list"]
}

path "auth/approle/role/+" {
  capabilities = ["read"]
}

path "airlock-pki/roles/" {
  capabilities = ["list"]
}

path "airlock-pki/roles/+" {
  capabilities = ["read"]
}

path "airlock-pki/config/crl" {
  capabilities = ["read"]
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
