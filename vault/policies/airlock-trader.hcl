# The trader: reads its own secrets and has its client certificate signed. No key of any account.

path "airlock-trader/data/*" {
  capabilities = ["read"]
}

path "airlock-pki/sign/trader-client" {
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
