"""Pieces of technical text that look like personal data and are not: the hard cases for precision."""

from __future__ import annotations

import hashlib
import math
import random
import string
import uuid
from collections.abc import Callable

from tests.select.planted_values import UPPER_AND_DIGITS, WORD_CHARACTERS, WORDS, digits, some

HEX = "0123456789abcdef"


def code(rng: random.Random) -> str:
    name = rng.choice(WORDS)
    return rng.choice(
        [
            f"@app.route('/{name}')\ndef {name}(request):\n    return request.user",
            f"y = x@w.T + b@{name}.mean(axis=0)",
            "W@h.to(device) + A@B.conj()",
            f"self.{name} @= other.{name}",
            f"token = tokenizer.next_token()  # {name}",
            "api_key = os.environ['API_KEY']",
            "password = getpass.getpass()",
            f'db = connect(password="{{{{ {name}_password }}}}", user="postgres")',
            "secret: ${DB_SECRET}",
            "token: <your-token-here>",
            f"const {name}Key = process.env.{name.upper()}_KEY;",
            f"std::vector<int> {name}{{0x7fffffff, 2147483647, -2147483648}};",
            f"import {{ x }} from '@{name}/core';",
            f'"@{name}/core": "^4.17.21", "{name}@npm:^1.2.3"',
            f"pip install {name}==1.21.4.1",
            f"docker pull {name}:5000/app@sha256:{some(rng, HEX, 64)}",
            "if (key == keys[i]) return secretSanta2Name;",
            "password: changeme",
            'PASSWORD="your-password"',
            f'<div class="sk-toggleable__content sk-estimator-doc-link-{name}">',
            "assert token == 'Bearer xxxxxxxxxxxxxxxxxxxxxxxx'",
            f"seed = {rng.randint(10**9, 10**10)}",
            f"id = {digits(rng, 18)}L",
        ]
    )


def latex(rng: random.Random) -> str:
    name = rng.choice(WORDS)
    return rng.choice(
        [
            rf"\makeatletter\def\{name}@foo.bar{{}}\@addtoreset{{equation}}{{section}}\makeatother",
            rf"\let\old@{name}\{name}",
            r"\begin{pmatrix} 1 & 0 & 2 \\ 0 & 1 & 3 \\ 4 & 5 & 6 \end{pmatrix}",
            rf"\label{{eq:{name}-2024-01}} \cite{{{name}2019,Hartshorne77}}",
            rf"$\pi \approx 3.{digits(rng, 20)}$",
            r"\hskip 0.5em plus 0.25em minus 0.125em\relax",
            rf"\ref{{lemma-{name}}} and \eqref{{{digits(rng, 4)}}}",
            rf"\tolerance=9999 \hbadness=10000 \p@{name}@ii.space",
            rf"$10^{{{rng.randint(2, 99)}}}$, $2^{{31}}-1=2147483647$, $2^{{64}}=18446744073709551616$",
        ]
    )


def addresses(rng: random.Random) -> str:
    last = rng.randint(1, 254)
    return rng.choice(
        [
            f"ping 10.0.{last}.7",
            f"listen 127.0.0.1:{rng.randint(1024, 9999)};",
            f"inet 192.168.{last}.1 netmask 255.255.255.0",
            f"host 192.0.2.{last} (TEST-NET-1)",
            f"198.51.100.{last} and 203.0.113.{last} are for documentation",
            f"172.16.{last}.2/12 via 172.31.255.254",
            f"169.254.{last}.9 is link-local, 224.0.0.251 multicast, 255.255.255.255 broadcast",
            "nameserver 8.8.8.8",
            "dig @1.1.1.1 example.com",
            f"2001:db8:{last:x}::1",
            f"fe80::{last:x}ff:fe00:1%eth0",
            "::1 localhost",
            "fd12:3456:789a::1",
            f"ssh admin@10.1.{last}.3",
            "0.0.0.0/0",
            "100.64.0.1",
            f"scp report.pdf deploy@build.{rng.choice(WORDS)}.net:/srv",
            f"git clone git@github.com:{rng.choice(WORDS)}/repo.git",
            "user@host:~$ ls",
            f"00:1a:2b:3c:4d:{last:02x}",
            "curl -u user:password https://example.com/",
            "mailto:someone@example.com",
            "https://user:pass@example.org/x",
            f"{rng.randint(1, 223)}.{last}.0.0/16",
            "redis://localhost:6379/0",
            "amqp://guest:guest@localhost:5672/",
            f"icon-{last}@2x.png logo@3x.jpg",
            f"systemctl restart getty@tty{rng.randint(1, 6)}.service",
            f"<20240102.{digits(rng, 5)}@mx.example.net>",
            "root@localhost",
            "user@server.local",
        ]
    )


def hashes(rng: random.Random) -> str:
    data = rng.randbytes(12)
    return rng.choice(
        [
            hashlib.md5(data).hexdigest(),
            hashlib.sha1(data).hexdigest(),
            hashlib.sha256(data).hexdigest(),
            hashlib.sha512(data).hexdigest(),
            hashlib.sha256(data).hexdigest().upper(),
            f"sha512-{some(rng, WORD_CHARACTERS + '+/', 86)}==",
            f'etag: "{some(rng, HEX, 32)}"',
            f"commit {some(rng, HEX, 40)}",
            f"blob {some(rng, HEX, 7)}..{some(rng, HEX, 7)} 100644",
            some(rng, WORD_CHARACTERS, 22, 44),
            f"0x{some(rng, HEX, 16)}",
            f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{some(rng, WORD_CHARACTERS, 43)}",
            f"crc32 {some(rng, HEX, 8)}",
            some(rng, UPPER_AND_DIGITS, 26),
            f"SHA256:{some(rng, WORD_CHARACTERS, 43)}",
        ]
    )


def uuids(rng: random.Random) -> str:
    one = str(uuid.UUID(int=rng.getrandbits(128)))
    return rng.choice([one, one.upper(), f"{{{one}}}", f"urn:uuid:{one}", one.replace("-", ""), f'"id": "{one}",'])


def versions(rng: random.Random) -> str:
    a, b, c, d = rng.randint(0, 30), rng.randint(0, 40), rng.randint(0, 99), rng.randint(0, 255)
    return rng.choice(
        [
            f"version {a}.{b}.{c}.{d}",
            f"v{a}.{b}.{c}",
            f"Chrome/{rng.randint(80, 130)}.0.{rng.randint(1000, 6000)}.{d} Safari/537.36",
            f"lib-{a}.{b}.{c}.{d}.tar.gz",
            f"openssl 1.1.1{rng.choice('abcdef')}",
            f"{a}.{b}.{c}-rc.{d}",
            f"Release {a}.{b}.{c}.{d} fixes this.",
            f"package>={a}.{b}.{c}.{d}",
            f"1.3.6.1.4.1.{c}.{d}",
            f"{a}.{b % 20}.{c % 20}.{d % 20}. Return values",
            f"see section {a}.{b}.{c % 30}.{d % 20}",
            f"kernel 5.{b}.{c}.{d}",
            f"firmware {a}.{b}.{c}.{d}",
            f"== {a}.{b}.{c}.{d}",
        ]
    )


def books(rng: random.Random) -> str:
    return rng.choice(
        [
            f"ISBN 978-0-{digits(rng, 3)}-{digits(rng, 5)}-{digits(rng, 1)}",
            f"ISBN: 978{digits(rng, 10)}",
            f"ISBN 0-{digits(rng, 3)}-{digits(rng, 5)}-X",
            f"ISSN {digits(rng, 4)}-{digits(rng, 4)}",
            f"doi:10.{digits(rng, 4)}/s{digits(rng, 5)}-0{digits(rng, 2)}-{digits(rng, 5)}-{digits(rng, 1)}",
            f"arXiv:{digits(rng, 4)}.{digits(rng, 5)}v2",
            f"pp. {rng.randint(100, 400)}-{rng.randint(401, 900)}",
            f"CVE-2024-{digits(rng, 5)}",
            f"RFC {digits(rng, 4)}, section 3.2.1",
            f"US patent {digits(rng, 1)},{digits(rng, 3)},{digits(rng, 3)}",
            f"CAS {rng.randint(50, 99999)}-{digits(rng, 2)}-{digits(rng, 1)}",
            f"MR{digits(rng, 7)} Zbl 0{digits(rng, 3)}.{digits(rng, 5)}",
        ]
    )


def phone_like(rng: random.Random) -> str:
    return rng.choice(
        [
            f"call 1-800-555-01{digits(rng, 2)}",
            f"(212) 555-01{digits(rng, 2)}",
            f"part no. {digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
            f"order 4{digits(rng, 2)}-{digits(rng, 2)}-{digits(rng, 4)}",
            f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} 07:{digits(rng, 2)}:17.{digits(rng, 6)}",
            f"{rng.randint(10**12, 2 * 10**12)}",
            f"17{digits(rng, 8)}.{digits(rng, 6)}",
            f"{digits(rng, 3)}-{digits(rng, 4)}",
            f"{digits(rng, 4)} {digits(rng, 4)}",
            "0123 456 789",
            "123-456-7890",
            "000-00-0000",
            f"model 0{digits(rng, 3)}-{digits(rng, 2)}",
            f"+{digits(rng, 2)}.{digits(rng, 4)}, -{digits(rng, 2)}.{digits(rng, 4)}",
            f"{digits(rng, 2)}/{digits(rng, 2)}/{digits(rng, 4)}",
            "int from -2147483648 to +2147483647",
            f"+{digits(rng, 3)} lines, -{digits(rng, 2)} lines",
            f"020 7946 0{digits(rng, 3)}",
            f"07700 900{digits(rng, 3)}",
            f"ticket {digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
            f"{digits(rng, 5)}-{digits(rng, 4)}",
            f"a={digits(rng, 2)} b={digits(rng, 3)} c={digits(rng, 4)}",
            f"{digits(rng, 1)},{digits(rng, 3)},{digits(rng, 3)},{digits(rng, 3)}",
            f"0755 0644 0600 {digits(rng, 4)}",
        ]
    )


def constants(rng: random.Random) -> str:
    pi = (
        "14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214808651"
    )
    start = rng.randint(0, 60)
    return rng.choice(
        [
            f"3.{pi}",
            " ".join(pi[i : i + 5] for i in range(start, start + 40, 5)),
            " ".join(pi[i : i + 10] for i in range(0, 50, 10)),
            f"e = {math.e:.15f}",
            f"{rng.random():.17f}",
            f"{rng.random() * 10 ** rng.randint(1, 12):.6f}",
            f"{math.factorial(rng.randint(15, 30))}",
            f"{2 ** rng.randint(40, 200)}",
            f"fib = {', '.join(str(n) for n in (121393, 196418, 317811, 514229, 832040, 1346269))}",
            "6.02214076e23, 1.602176634e-19, 299792458",
            " ".join(str(rng.randint(0, 1)) for _ in range(40)),
            f"{some(rng, '01', 32)}",
            " ".join(f"{rng.randint(0, 255):3d}" for _ in range(16)),
            f"[{', '.join(f'{rng.gauss(0, 1):.4f}' for _ in range(12))}]",
            f"n = {rng.randint(10**15, 10**16)}",
            f"p = {rng.randint(10**19, 10**20)}",
            " ".join(digits(rng, 4) for _ in range(rng.randint(5, 12))),
            f"{digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)}",
            f"{digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}",
        ]
    )


def git_logs(rng: random.Random) -> str:
    name = rng.choice(WORDS)
    return "\n".join(
        [
            f"commit {some(rng, HEX, 40)}",
            f"Author: {name.title()} Dev <{digits(rng, 7)}+{name}@users.noreply.github.com>",
            f"Date:   Mon Mar {rng.randint(1, 28)} 12:{digits(rng, 2)}:09 2024 +0{rng.randint(1, 9)}00",
            f"    Fix #{digits(rng, 4)}: {name} overflow",
            f"index {some(rng, HEX, 7)}..{some(rng, HEX, 7)} 100644",
            f"@@ -{rng.randint(1, 900)},{rng.randint(1, 20)} +{rng.randint(1, 900)},{rng.randint(1, 20)} @@",
            f"+    timeout = {digits(rng, 6)}",
            f"HEAD@{{{rng.randint(0, 20)}}} {name}@{{upstream}}",
        ]
    )


def hex_dumps(rng: random.Random) -> str:
    lines = []
    for offset in range(0, 64, 16):
        data = rng.randbytes(16)
        pairs = (
            data.hex(" ", rng.choice([1, 2])) if rng.random() < 0.8 else " ".join(f"{byte % 100:02d}" for byte in data)
        )
        printable = "".join(chr(byte) if chr(byte) in string.ascii_letters + string.digits else "." for byte in data)
        lines.append(f"{offset:08x}: {pairs}  |{printable}|")
    return "\n".join(lines)


PIECES: dict[str, Callable[[random.Random], str]] = {
    "code": code,
    "latex": latex,
    "addresses": addresses,
    "hashes": hashes,
    "uuids": uuids,
    "versions": versions,
    "books": books,
    "phone-like": phone_like,
    "constants": constants,
    "git logs": git_logs,
    "hex dumps": hex_dumps,
}
