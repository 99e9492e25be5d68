"""A Solana chain in this process: the real runtime (LiteSVM), with messages made by Solana's own encoder.

Not a validator: one blockhash is good at a time, and `expire` ends it as 151 blocks would.
"""

from collections.abc import Sequence

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

GENESIS = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"
CHAIN = f"solana:{GENESIS[:32]}"
LIFE_BLOCKS = 150
NONCE_BYTES = 80
SOL = 10**9


class SolanaWorld:
    """Accounts, blockhashes and heights. `payer` has money and pays for what tests set up."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        self.height = 1_000_000
        self.payer = Keypair.from_seed(bytes([7]) * 32)
        self._nonces = 0
        self.fund(bytes(self.payer.pubkey()), 1_000 * SOL)

    @property
    def blockhash(self) -> bytes:
        return bytes(self.svm.latest_blockhash())

    @property
    def last_valid_block_height(self) -> int:
        return self.height + LIFE_BLOCKS

    def expire(self, times: int = 1) -> None:
        """So many blocks that no message with a blockhash of before is taken any more."""
        for _ in range(times):
            self.svm.expire_blockhash()
            self.height += LIFE_BLOCKS + 1

    def fund(self, key: bytes, lamports: int) -> None:
        self.svm.airdrop(Pubkey.from_bytes(key), lamports)

    def balance(self, key: bytes) -> int:
        return self.svm.get_balance(Pubkey.from_bytes(key)) or 0

    def account(self, key: bytes) -> Account | None:
        return self.svm.get_account(Pubkey.from_bytes(key))

    def open_nonce(self, authority: bytes) -> bytes:
        """Make a nonce account, as its owner would, a block before it can move; its address."""
        self._nonces += 1
        nonce = Keypair.from_seed(self._nonces.to_bytes(32, "big"))
        rent = self.svm.minimum_balance_for_rent_exemption(NONCE_BYTES)
        made = create_nonce_account(self.payer.pubkey(), nonce.pubkey(), Pubkey.from_bytes(authority), rent)
        self._run(list(made), self.payer, nonce)
        self.svm.expire_blockhash()
        return bytes(nonce.pubkey())

    def nonce_value(self, nonce: bytes) -> bytes:
        account = self.account(nonce)
        assert account is not None
        return account.data[40:72]

    def advance(self, nonce: bytes, authority: Keypair) -> None:
        """Move a nonce on, as a transaction of somebody else would."""
        self.svm.expire_blockhash()  # a nonce moves once a block
        self._run([advance(nonce, bytes(authority.pubkey()))], self.payer, authority)

    def execute(self, message: bytes, *signatures: bytes) -> str | None:
        """Run a signed message; None, or the name of what the runtime has against it."""
        transaction = VersionedTransaction.populate(
            from_bytes_versioned(message), [Signature.from_bytes(each) for each in signatures]
        )
        transaction.sanitize()
        done = self.svm.send_transaction(transaction)
        return str(done.err()) if isinstance(done, FailedTransactionMetadata) else None

    def _run(self, instructions: Sequence[Instruction], *signers: Keypair) -> None:
        message = MessageV0.try_compile(signers[0].pubkey(), instructions, [], self.svm.latest_blockhash())
        done = self.svm.send_transaction(VersionedTransaction(message, list(signers)))
        assert not isinstance(done, FailedTransactionMetadata), done.err()


def message(payer: bytes, blockhash: bytes, *instructions: Instruction) -> bytes:
    """A serialized v0 message."""
    made = MessageV0.try_compile(Pubkey.from_bytes(payer), instructions, [], Hash.from_bytes(blockhash))
    return to_bytes_versioned(made)


def pay(source: bytes, to: bytes, lamports: int) -> Instruction:
    return transfer(
        TransferParams(
            from_pubkey=Pubkey.from_bytes(source), to_pubkey=Pubkey.from_bytes(to), lamports=lamports
        )
    )


def advance(nonce: bytes, authority: bytes) -> Instruction:
    return advance_nonce_account(
        AdvanceNonceAccountParams(
            nonce_pubkey=Pubkey.from_bytes(nonce), authorized_pubkey=Pubkey.from_bytes(authority)
        )
    )
