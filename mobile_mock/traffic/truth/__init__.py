"""The generator of truth: real trips delivered several times over, and the duplicate verdicts beside what is known.

The key. Each real trip is one deed. Trips that are double in the source itself would confuse the key, so it holds only
the clean ones: those that, as their source tells them, overlap no other trip of the same person by more than a
tolerance, lie not within seconds of one at both ends, and do not take up the same bike again. All are sent.

What is counted, of the copies of a clean trip that were not refused for themselves nor held for review:
- stands: the best credited copy (evidence tier, then earlier start). A trip needs one.
- found: a duplicate verdict that names a record of the same trip.
- missed: a second credited copy. Its milligrams are credited twice.
- wrong: a duplicate verdict that names a record of another trip. Where no copy of the trip stands, its best copy is
  `denied`, and what it was worth is wrongly denied (estimated: metres times the milligrams a metre earned elsewhere).
recall = found / (found + missed + wrong); precision = found / (found + wrong + denied).

How a name is read. Deed handles are scoped to a partner and a partner reports a trip once, so two events of a partner
under one handle tell of two trips, and one of them is wrong: the one that is not credited; and where none is, all but
one of a trip that stands elsewhere. A handle that only one event of its partner carries belongs to a record of some
other partner. Without a standing copy of the trip it is wrong. With one it is the trip's own, and `proved` so if no
copy of another trip of the person touches one of the trip, or if the partner's own credited records of those trips have
handles of their own. Else it is right by count: as many deeds are credited as there were, so that the books are right;
only the name could be another's, and nobody outside can see it.
"""
