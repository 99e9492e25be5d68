# The trader: reads its own secrets and has its client certificate signed. No key of any account.

path "airlock-trader/data/*" {
  capabilities = ["read"]
}

# CHANGE, where the database's login is a leased secret of Vault's database engine:
# path "database/creds/airlock-trader" {
#   capabilities = ["read"]
# }
# path "sys/leases/renew" {
#   capabilities = ["update"]
# }

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
