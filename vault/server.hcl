# A Vault server for Airlock, one node of a raft cluster. Works with OpenBao, too. Change what is marked CHANGE.
# Checked by `vault operator diagnose -config server.hcl`. Two arguments never share a line inside a block.

storage "raft" {
  path    = "/opt/vault/data"                    # CHANGE: a disk of its own, readable by the server's user only
  node_id = "vault-1"                            # CHANGE: another on each node

  # CHANGE: with three nodes, one block for each of the others; a single node has none.
  # retry_join {
  #   leader_api_addr     = "https://vault-2.airlock.internal:8200"
  #   leader_ca_cert_file = "/etc/vault/tls/ca.pem"
  # }
}

listener "tcp" {
  address         = "0.0.0.0:8200"               # CHANGE: the address of the private network only
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/etc/vault/tls/server.pem"  # CHANGE: from your own authority, not from this Vault's PKI:
  tls_key_file    = "/etc/vault/tls/server.key"  # a Vault that is sealed could not renew it
  tls_min_version = "tls13"
}

api_addr     = "https://vault-1.airlock.internal:8200"  # CHANGE: as in [vault] address of signer.toml
cluster_addr = "https://vault-1.airlock.internal:8201"  # CHANGE

# Raft maps its files into memory, so mlock would lock the whole database. Swap has to be off instead
# (`swapoff -a`, nothing in /etc/fstab), and core dumps too (LimitCORE=0 in the unit).
disable_mlock = true

# The signer's token lives 72 h at most; nothing here may live longer than a month.
default_lease_ttl = "1h"
max_lease_ttl     = "768h"

ui        = false
log_level = "info"

# The audit device is not configured here: `airlock-signer vault bootstrap` enables it before anything else.
# OpenBao wants it here, as `audit "file" "file" { ... }`; bootstrap then finds it done.
