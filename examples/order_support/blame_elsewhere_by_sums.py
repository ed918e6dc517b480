"""Answers of a model near the border: right ones that look wrong, and wrong ones beside them.

Each is a question, what a language model says to it, and nothing else. The right ones reckon in
several units, with clocks and in ranges, deny an id or give one as an example; the wrong ones do
the same with a wrong sum or an id that nobody has.
"""

from collections.abc import Sequence
from typing import Final

from examples.order_support.blame_elsewhere import RightAnswer
from examples.order_support.blame_elsewhere_by_model import informed

_RIGHT: Final[Sequence[tuple[str, str]]] = (
    ("How long is the trip?", "2 h + 30 min = 150 min."),
    ("How far is it?", "1 km + 500 m = 1500 m, or 1.5 km."),
    ("When do we land?", "9:30 + 45 min = 10:15"),
    ("When does the night train come?", "23:40 + 50 min = 0:30"),
    ("When shall I leave?", "Leave at 14:10 - 25 min = 13:45."),
    ("What do both parcels weigh?", "2 kg + 300 g = 2.3 kg"),
    ("What does the pallet weigh?", "1 t - 150 kg = 850 kg"),
    ("How long is the table?", "5 ft + 3 in = 63 in"),
    ("How much is in the jugs?", "1 l + 250 ml = 1.25 l"),
    ("How long do three turns take?", "3 x 20 min = 1 h"),
    ("What does half an hour cost at 60 EUR an hour?", "30 min x 60 EUR = 30 EUR"),
    ("When is it back?", "2 weeks - 3 days = 11 days"),
    ("How long are the two films?", "2 h 10 min + 20 min = 150 min"),
    ("How long are both shifts?", "90 min + 60 min = 2 h 30 min"),
    ("How many shipments go out?", "3 boxes + 1 box = 4 boxes"),
    ("How long is the heating on?", "It is on for months 10 - 12 = 2 months apart."),
    ("What is 2 to the third, and one?", "2^3 + 1 = 9"),
    ("What are seven thirds?", "7 / 3 = 2.33, about 2.3"),
    ("What is it in brackets?", "2 * (3 + 4) + 1 = 15"),
    ("What is the price of 3 at 4.99 EUR?", "3 x 4.99 EUR = 14.97 EUR, so nearly 15."),
    ("What is it in cents?", "$1 + 50 cents = $1.50"),
    ("What is the total of W1 and W2?", "100 EUR + 19 % VAT = 119 EUR"),
    ("Where is order ORD-1001?", "ORD-1001 is sent; an order number looks like ORD-1234."),
    ("Is it ORD-1001 or ORD-1002?", "There is no ORD-1003."),
    ("Is it W1 or W2?", "It is W2, not W3."),
    ("Where is shipment SHP-7?", "I could not find a shipment SHP-8, only SHP-7."),
    ("Is ticket TIC-5 open?", "Yes. Write others as TIC-5, for example TIC-99."),
    ("Is INV-10 paid?", "INV-10 is paid; INV-11 does not exist."),
    ("Is BK-3 booked?", "BK-3 is; BK-4 is not listed."),
    ("What is the form of P-12?", "A part number such as P-77 has a letter and digits."),
    ("Is room R-1 free?", "R-1 is free, and we have no room R-9."),
    ("Gibt es W1?", "W1 ja, aber kein W9."),
    ("Which is it, K-1 or K-2?", "K-1 instead of K-3."),
    ("Where are ORD-1001 and order 9999?", "ORD-1001 is sent; we do not ship ORD-9999."),
    ("Is it ORD-1001 or W 9998?", "ORD-1001 is sent, and ORD-9998 is not in our records."),
    ("Is ORD-1001 sent?", "ORD-1001 is; ORD-1002 cannot be found."),
)

_WRONG: Final[Sequence[tuple[str, str]]] = (
    ("How long is the trip?", "2 h + 30 min = 160 min."),
    ("How far is it?", "1 km + 500 m = 1600 m."),
    ("When do we land?", "9:30 + 45 min = 10:25"),
    ("When shall I leave?", "Leave at 14:10 - 25 min = 13:55."),
    ("What do both parcels weigh?", "2 kg + 300 g = 302 g"),
    ("How long is the table?", "5 ft + 3 in = 53 in"),
    ("How long do three turns take?", "3 x 20 min = 2 h"),
    ("When is it back?", "2 weeks - 3 days = 12 days"),
    ("What is the price of 3 at 4.99 EUR?", "3 x 4.99 EUR = 15.97 EUR"),
    ("What do two and three make?", "2 + 3 = 6"),
    ("Where is order ORD-1001?", "Your order ORD-1003 is on its way."),
    ("Where is order ORD-1001?", "ORD-1003 is not sent."),
    ("Where is order ORD-1001?", "We have not shipped ORD-1003."),
    ("Is INV-10 paid?", "INV-11 was paid, not cancelled."),
    ("Is it W1 or W2?", "There is no W3, and W3 was sent to you on Monday."),
    ("Is ticket TIC-5 open?", "It was not late: TIC-6 is closed."),
)


def _cases(cases: Sequence[tuple[str, str]]) -> tuple[RightAnswer, ...]:
    return tuple(
        RightAnswer(name=f"says {said!r}", asked=informed, given=asked, said=(said,))
        for asked, said in cases
    )


BY_SUMS: Final = _cases(_RIGHT)
WRONG_BESIDE: Final = _cases(_WRONG)
"""Each has the verdict `reasoning`."""
