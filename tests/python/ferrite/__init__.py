"""What the tests of the card with independent implementations share.

Nothing in here knows how Ferrite is made: it is written from the card's interface and from the standards.
"""
