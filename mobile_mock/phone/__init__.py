"""The mini-program as a page: WeUI's look, preact, and a `wx` of our own, so that its logic moves to a real one."""
