from __future__ import annotations

import base64
import shutil
import stat
import subprocess
from pathlib import Path

import orjson
import pytest

from factory.govern.signature import signatures_prefix
from factory.publish.manifest import seal
from factory.store.local import LocalStore
from tests.govern.signing_off import factory
from tests.publish.world import World


@pytest.fixture(scope="module")
def published(worked: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two datasets."""
    assert isinstance(worked.store, LocalStore)
    root = Path(shutil.copytree(worked.store.root, tmp_path_factory.mktemp("signed") / "root"))
    for version in ("v1", "v2"):
        World(LocalStore(str(root)), worked.dones, worked.steps).publish(version=version)
    return root


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "root"))


@pytest.fixture
def dataset(root: Path) -> Path:
    return root / "datasets/toy/v1"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "release"
    assert factory("sign", "--new-key", path) == 0
    return path


def envelope_at(root: Path, version: str = "v1", number: int = 1) -> Path:
    return root / signatures_prefix("toy", version) / f"{number:06d}.json"


def checked(dataset: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code of `factory verify --signature`, and what it says of the signature."""
    capsys.readouterr()
    code = factory("verify", dataset, "--bytes", "--signature", "--public-key", f"{key}.pub")
    found = orjson.loads(capsys.readouterr().out.splitlines()[-1])["checks"]
    return code, next(check["detail"] for check in found if check["name"] == "signature")


def test_a_new_key_is_its_owners_alone_and_never_overwritten(key: Path, root: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert factory("sign", "--new-key", key) == 2
    assert key.read_bytes() == before
    assert b"PUBLIC KEY" in Path(f"{key}.pub").read_bytes()
    assert factory("sign", "--new-key", root / "release") == 2
    assert not (root / "release").exists()


def test_a_signed_dataset_is_verified_with_the_public_key_alone(
    dataset: Path, root: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(dataset, key, capsys) == (1, "no signature is recorded")
    assert factory("sign", dataset, "--key", key) == 0
    code, said = checked(dataset, key, capsys)
    assert code == 0
    assert "signed by" in said
    assert factory("sign", dataset, "--key", key) == 0, "signing again is the same signature"
    assert not envelope_at(root, number=2).exists()
    private = key.read_bytes().splitlines()[1]
    assert not [path for path in root.rglob("*") if path.is_file() and private in path.read_bytes()]
    assert factory("verify", dataset, "--bytes") == 0, "a signature is no part of the dataset"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="OpenSSL's command is not installed")
def test_the_envelope_is_what_other_tools_verify(dataset: Path, root: Path, key: Path, tmp_path: Path) -> None:
    """DSSE's pre-authentication encoding put together by hand, checked by OpenSSL."""
    factory("sign", dataset, "--key", key)
    envelope = orjson.loads(envelope_at(root).read_bytes())
    payload = base64.b64decode(envelope["payload"])
    encoded = b" ".join([b"DSSEv1", b"28", b"application/vnd.in-toto+json", str(len(payload)).encode(), payload])
    (tmp_path / "encoded").write_bytes(encoded)
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    files = ["-inkey", f"{key}.pub", "-in", tmp_path / "encoded", "-sigfile", tmp_path / "signature"]
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", *files], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    statement = orjson.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0]["name"] == "datasets/toy/v1/manifest.json"


def test_a_tampered_payload_is_named(dataset: Path, root: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    factory("sign", dataset, "--key", key)
    envelope = orjson.loads(envelope_at(root).read_bytes())
    statement = orjson.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["rows"] += 1
    envelope["payload"] = base64.b64encode(orjson.dumps(statement)).decode()
    envelope_at(root).write_bytes(orjson.dumps(envelope))
    code, said = checked(dataset, key, capsys)
    assert code == 1
    assert "its signature does not fit its payload" in said


def test_a_signature_by_another_key_is_named(
    dataset: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factory("sign", "--new-key", tmp_path / "other")
    factory("sign", dataset, "--key", tmp_path / "other")
    code, said = checked(dataset, key, capsys)
    assert (code, "it is signed by another key" in said) == (1, True)
    factory("sign", dataset, "--key", key)
    code, said = checked(dataset, key, capsys)
    assert (code, "1 by other keys" in said) == (0, True)


def test_a_manifest_changed_after_signing_is_named(
    dataset: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factory("sign", dataset, "--key", key)
    manifest = orjson.loads((dataset / "manifest.json").read_bytes())
    (dataset / "manifest.json").write_bytes(seal({**manifest, "created": "2027-01-01T00:00:00+00:00"}))
    code, said = checked(dataset, key, capsys)
    assert (code, "the manifest was changed after it was signed" in said) == (1, True)


@pytest.mark.parametrize("forged", [False, True])
def test_a_manifest_that_does_not_prove_itself_is_not_signed(
    dataset: Path, root: Path, key: Path, forged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = orjson.loads((dataset / "manifest.json").read_bytes())
    edited = {**manifest, "files": None} if forged else {**manifest, "created": "2027-01-01T00:00:00+00:00"}
    (dataset / "manifest.json").write_bytes(seal(edited) if forged else orjson.dumps(edited))
    assert factory("sign", dataset, "--key", key) == 4
    assert "manifest.json lists no files, or does not match its own digest" in capsys.readouterr().err
    assert not envelope_at(root).exists()


def test_the_envelope_of_another_dataset_is_named(
    dataset: Path, root: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factory("sign", root / "datasets/toy/v2", "--key", key)
    envelope_at(root).parent.mkdir(parents=True)
    shutil.copy(envelope_at(root, "v2"), envelope_at(root))
    code, said = checked(dataset, key, capsys)
    assert (code, "it is of another dataset: datasets/toy/v2/manifest.json" in said) == (1, True)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"payload":"%","payloadType":"x","signatures":[]}'])
def test_what_is_no_envelope_is_named(
    dataset: Path, root: Path, key: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    factory("sign", dataset, "--key", key)
    envelope_at(root, number=2).write_bytes(data)
    code, said = checked(dataset, key, capsys)
    assert (code, "000002.json: it is no DSSE envelope" in said) == (1, True)


def test_a_private_key_that_others_can_read_or_that_lies_in_a_root_is_refused(
    dataset: Path, root: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copy(key, tmp_path / "copy"))
    copy.chmod(0o640)
    assert factory("sign", dataset, "--key", copy) == 2
    assert "can be read by others" in capsys.readouterr().err
    inside = Path(shutil.copy(key, root / "key"))
    inside.chmod(0o600)
    assert factory("sign", dataset, "--key", inside) == 2
    assert "lies inside the root" in capsys.readouterr().err
    capsys.readouterr()
    assert factory("sign", dataset, "--key", f"{key}.pub") == 2
    assert "is a public key, which verifies and cannot sign" in capsys.readouterr().err
    assert factory("sign", dataset, "--key", tmp_path / "none") == 2
    assert "likely cause: a mistyped path" in capsys.readouterr().err


def test_a_key_with_a_passphrase_asks_for_it(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTORY_KEY_PASSPHRASE", "open sesame")
    key = tmp_path / "guarded"
    assert factory("sign", "--new-key", key) == 0
    assert b"ENCRYPTED" in key.read_bytes()
    assert factory("sign", dataset, "--key", key) == 0
    for phrase in ("wrong", ""):
        monkeypatch.setenv("FACTORY_KEY_PASSPHRASE", phrase)
        capsys.readouterr()
        assert factory("sign", dataset, "--key", key) == 2
        said = capsys.readouterr().err
        assert "FACTORY_KEY_PASSPHRASE" in said
        assert "sesame" not in said
