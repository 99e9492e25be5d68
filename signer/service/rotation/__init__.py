"""Account rotation: who takes over, what is left to move, the next step, and the operator's word.

In this order: `rotate_account` (begin, status, finish, abort), `successions` (the new account works),
`position` (what is there), `plan` (what to do next), `drain` (does it).
"""
