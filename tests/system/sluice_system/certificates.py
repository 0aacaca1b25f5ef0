"""Certificates for tests, made with the openssl command as docs/listeners.md shows it."""

import pathlib
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A CA in a folder of its own, with an index that revocation lists are made from."""

    def __init__(self, folder: pathlib.Path, name: str = "ca"):
        self.folder = folder
        self.cert, self.key, self.crl = folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.crl"
        self._settings = folder / f"{name}.cnf"
        index = folder / f"{name}.index"
        index.write_text("")
        self._settings.write_text(
            f"[ca]\ndefault_ca=a\n[a]\ndatabase={index}\nprivate_key={self.key}\ncertificate={self.cert}\ndefault_md=sha256\n"
            "default_crl_days=30\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", str(self.key), "-out", str(self.cert))

    def issue(self, name: str, alternative: str = "IP:127.0.0.1,DNS:localhost", days: int = 30):
        """Returns paths of a certificate and its key."""
        cert, key, request = (self.folder / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", "-keyout", str(key), "-out", str(request))
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial",
                "-copy_extensions", "copy", "-days", str(days), "-out", str(cert))
        return cert, key

    def revoke(self, *certificates):
        """Writes the list of what is revoked so far."""
        for each in certificates:
            openssl("ca", "-config", str(self._settings), "-revoke", str(each))
        openssl("ca", "-config", str(self._settings), "-gencrl", "-out", str(self.crl))
        return self.crl
