"""Ed25519 key pairs as files: made, kept from others, read, and never below a root.

Design: keys are PEM as OpenSSL writes them (PKCS #8 and SubjectPublicKeyInfo), so that other tools read them too. The
private one is readable by its owner alone, and is refused where others can read it; a passphrase comes from the
environment. A key inside a root would be copied to whoever gets the root: it is refused there, made or used. A key's id
is the SHA-256 of its public half in DER.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from factory.errors import ConfigError
from factory.identity import sha256_hex

PASSPHRASE = "FACTORY_KEY_PASSPHRASE"
"""Variable of the environment that holds the passphrase of a private key, where it has one."""

LARGEST_BYTES = 64 << 10
ROOT_FOLDERS = ("datasets", "runs", "steps")


def new_key(path: Path) -> Path:
    """Makes a key pair at `path` and `path`.pub; the second of the two. Raises ConfigError where a file is there
    already, or the place is inside a root."""
    public = path.with_name(f"{path.name}.pub")
    require_outside(path)
    phrase = os.environ.get(PASSPHRASE)
    encryption = BestAvailableEncryption(phrase.encode()) if phrase else NoEncryption()
    key = Ed25519PrivateKey.generate()
    _put_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
    _put_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return public


def read_private(path: Path) -> Ed25519PrivateKey:
    """Raises ConfigError where there is none, others can read it, it lies inside a root, or is of another kind."""
    data = _read(path, "private key")
    require_outside(path)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise ConfigError(
            f"{path} is a public key, which verifies and cannot sign",
            cause="the two halves of a pair lie beside each other, FILE and FILE.pub",
            remedy="give the private half: the same name without .pub",
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(
            f"the private key {path} can be read by others",
            cause="its permissions are wider than its owner",
            remedy=f"chmod 600 {path}, and make a new key if somebody may have copied it",
        )
    phrase = os.environ.get(PASSPHRASE)
    try:
        key = load_pem_private_key(data, phrase.encode() if phrase else None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "private", error, f"; a passphrase goes into {PASSPHRASE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "private", "it is of another kind")
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Raises ConfigError where there is none, or it is of another kind."""
    return public_in(_read(path, "public key"), path)


def public_in(data: bytes, path: Path) -> Ed25519PublicKey:
    """The public key that `data` holds. Raises ConfigError where it is none."""
    try:
        key = load_pem_public_key(data)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "public", error) from None
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(path, "public", "it is of another kind")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    return sha256_hex(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def require_outside(path: Path) -> None:
    """Raises ConfigError where `path` lies inside a root."""
    for folder in path.resolve().parents:
        if sum((folder / name).is_dir() for name in ROOT_FOLDERS) >= 2:
            raise ConfigError(
                f"{path} lies inside the root {folder}",
                cause="a key there would be copied to whoever gets the root",
                remedy="keep keys where only you can read them, outside of every root",
            )


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"the {what} {path} cannot be read: {error.strerror}",
            cause="a mistyped path, or no key was made there yet"
            if isinstance(error, FileNotFoundError)
            else "it is a folder, or this user may not read it",
            remedy="give the file of a key; `factory sign --new-key FILE` makes a pair",
        ) from None


def _put_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already", cause="a key is never overwritten", remedy="choose another name"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", remedy="choose a folder of yours") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _unusable(path: Path, half: str, why: object, more: str = "") -> ConfigError:
    return ConfigError(
        f"{path} holds no {half} Ed25519 key that can be used: {why}",
        cause="another kind of file or key, one that was cut short, or the wrong passphrase",
        remedy=f"give a PEM file as `factory sign --new-key FILE` makes it{more}",
    )
