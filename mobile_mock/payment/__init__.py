"""A stand-in payment provider: charges with a page to pay at, refunds, payouts, and signed callbacks."""
