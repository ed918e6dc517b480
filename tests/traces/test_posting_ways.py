"""Ways that do not lead to a sink, and what is said of them."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fishplate.traces.export import ExportError
from fishplate.traces.posting import Posting
from tests.models.fake_http import FakeProvider, Said, fake_provider

TAKEN = Said(200, b"", "application/x-protobuf")
SECRET = {"authorization": "Bearer canary"}


@contextmanager
def posting(url: str, headers: dict[str, str] | None = None) -> Generator[Posting]:
    """One to an address."""
    made = Posting(url, headers or {}, 20.0)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of a sink at `localhost` that nobody vouches for; its key stands in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begins = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path / "sink.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@contextmanager
def tls_sink(certificate: Path) -> Generator[FakeProvider]:
    """A sink that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeProvider(lambda _: TAKEN) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """A key in the headers goes to the address that was given, and to no other."""
    with fake_provider(lambda _: TAKEN) as other:
        said = Said(status, b"", location=f"{other.url}/v1/traces")
        with (
            fake_provider(lambda _: said) as server,
            posting(f"{server.url}/v1/traces", SECRET) as made,
            pytest.raises(ExportError, match=f"{status}, a redirect, which is not followed"),
        ):
            made.post(b"spans")
        assert other.heard == []


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "headers="), (403, "headers="), (404, "/v1/traces"), (405, "path")]
)
def test_a_refusal_says_where_to_look(status: int, remedy: str) -> None:
    """What a sink refuses for a slip in the settings names the setting, and no secret."""
    with (
        fake_provider(lambda heard: Said(status, heard.headers["authorization"].encode())) as sink,
        posting(sink.url, SECRET) as made,
        pytest.raises(ExportError, match=remedy) as refused,
    ):
        made.post(b"spans")
    assert "canary" not in str(refused.value)


def test_a_certificate_that_nobody_vouches_for_is_told(certificate: Path) -> None:
    """Nothing is sent over a connection that cannot be trusted, and the remedy is said."""
    with tls_sink(certificate) as server:
        address = f"https://localhost:{server.server_address[1]}/v1/traces"
        with (
            posting(address, SECRET) as made,
            pytest.raises(ExportError, match="not trusted here, SSL_CERT_FILE"),
        ):
            made.post(b"spans")
        assert server.heard == []


def test_a_certificate_of_ones_own_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` names who vouches for a sink."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_sink(certificate) as server:
        with posting(f"https://localhost:{server.server_address[1]}/v1/traces") as made:
            assert made.post(b"spans").body == b""
        assert [heard.body for heard in server.heard] == [b"spans"]


def test_tls_where_nobody_speaks_it_is_told() -> None:
    """An address with https:// at a port without TLS says what to look at."""
    with (
        fake_provider(lambda _: TAKEN) as server,
        posting(server.url.replace("http:", "https:")) as made,
        pytest.raises(ExportError, match="is it http:// "),
    ):
        made.post(b"spans")


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({}, f"Basic {b64encode(b'ada:p@ss').decode()}"),
        ({"authorization": "Bearer x"}, "Bearer x"),
    ],
)
def test_a_name_in_the_address_logs_in(headers: dict[str, str], sent: str) -> None:
    """A name and a password before the host go as such, unless a header says who it is."""
    with fake_provider(lambda _: TAKEN) as server:
        with posting(server.url.replace("://", "://ada:p%40ss@"), headers) as made:
            made.post(b"spans")
        headers_sent = server.heard[0].headers.items()
        assert [value for name, value in headers_sent if name.lower() == "authorization"] == [sent]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The export goes to its address, whatever `http_proxy` says."""
    with fake_provider(lambda _: TAKEN) as server, fake_provider(lambda _: TAKEN) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        with posting(server.url) as made:
            made.post(b"spans")
        assert (len(server.heard), len(proxy.heard)) == (1, 0)
