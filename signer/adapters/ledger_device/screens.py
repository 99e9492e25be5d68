"""What a Ledger will show for a transaction, for a person to compare with the console. Asks no device.

Order, headings and the hash as seen on the Ethereum application 1.22 of a Nano; a Stax or Flex says
"Transaction hash". With the application's setting Nonce on, it shows that too. Source: Ledger's application.
"""

from signer.adapters.device.coins import in_coins
from signer.adapters.ledger_device.networks import MAINNET, network_of
from signer.decode.evm.eip55 import checksummed
from signer.decode.evm.envelope import signing_hash
from signer.domain.accounts import Address
from signer.domain.transactions import UnsignedEvmTransaction
from signer.ports.device import Screen


def screens_of(signer: Address, transaction: UnsignedEvmTransaction) -> tuple[Screen, ...]:
    """Screens from the first to the confirmation. An amount of zero beside calldata is not shown."""
    payload, network = transaction.payload, network_of(transaction.chain_id)
    blind = bool(payload.data)

    def coins(wei: int) -> str:
        return f"{in_coins(wei)} {network.ticker}"

    fields: list[tuple[str, str]] = [("From", checksummed(signer))]
    if payload.value_wei or not blind:
        fields.append(("Amount", coins(payload.value_wei)))
    fields += [("To", checksummed(payload.to)), ("Max fees", coins(payload.worst_fee_wei))]
    if transaction.chain_id != MAINNET:
        fields.append(("Network", network.name))
    if blind:
        fields.append(("Tx hash", f"0x{signing_hash(transaction).hex()}"))
    first = ("Blind signing ahead", "") if blind else ("Review transaction", "")
    last = ("Accept risk and sign", "") if blind else ("Sign transaction", "")
    return tuple(Screen(title=title, text=text) for title, text in (first, *fields, last))
