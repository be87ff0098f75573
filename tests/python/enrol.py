"""No test, but what a test in Rust begins with: initialises the card and certifies it by an authority made on the spot."""

from test_authorities import Authority, AuthorityTest, ec_key


class Enrolment(AuthorityTest):
    """The one thing to do."""

    def enrol(self) -> None:
        """Writes device certificate, issuer's and root's."""
        root = Authority.root(b"UTROOT00001", ec_key())
        issuer = root.authority(b"UTISSU00001")
        certificate = issuer.issue(b"UTENROLLED00001", self.device_point())
        self.write(0x2F02, certificate + issuer.certificate + root.certificate)


if __name__ == "__main__":
    Enrolment.setUpClass()
    Enrolment("enrol").enrol()
    Enrolment.doClassCleanups()
