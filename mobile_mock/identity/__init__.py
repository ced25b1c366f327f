"""A stand-in identity provider: it speaks code2session over HTTP, as the mini-program's real one does."""
