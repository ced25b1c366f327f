"""What the platform does: one verb_noun a file, the same word in api/, usecases/, store/ and tests/."""
