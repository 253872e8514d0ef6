"""For every kind of personal data: how a value of it is drawn, and what it is called in front of one."""

from __future__ import annotations

import string

from factory.select import pii_checksums as sums
from tests.select import planted_secrets as secrets
from tests.select import planted_values as values
from tests.select.planted_secrets import token
from tests.select.planted_values import UPPER_AND_DIGITS, WORD_CHARACTERS, Draw, Value, by_check, grouped

DRAWS: dict[str, Draw] = {
    "private_key": secrets.private_key,
    "url_credentials": secrets.url_credentials,
    "jwt": secrets.jwt,
    "aws_key": token(("AKIA", "ASIA"), UPPER_AND_DIGITS, 16),
    "github_token": token(("ghp_", "gho_", "ghs_", "github_pat_"), WORD_CHARACTERS, 36, 60),
    "gitlab_token": token(("glpat-", "glrt-"), WORD_CHARACTERS, 20),
    "slack_token": token(("xoxb-", "xoxp-"), string.digits + string.ascii_letters, 40, 60),
    "stripe_key": token(("sk_live_", "rk_live_", "whsec_"), WORD_CHARACTERS, 24, 32),
    "google_api_key": token(("AIza",), WORD_CHARACTERS + "-_", 35),
    "openai_key": token(("sk-", "sk-proj-", "sk-ant-"), WORD_CHARACTERS, 48, 100),
    "api_token": token(("hf_", "npm_", "glsa_"), WORD_CHARACTERS, 36),
    "password": lambda rng: Value(secrets.secret_word(rng), True),
    "email": values.email,
    "iban": values.iban,
    "credit_card": values.credit_card,
    "us_ssn": values.us_ssn,
    "uk_nino": values.uk_nino,
    "uk_nhs": by_check(10, sums.nhs_number, lambda n: grouped(n, (3, 3, 4), " ")),
    "es_dni": values.es_dni,
    "es_nie": values.es_nie,
    "de_tax_id": values.de_tax_id,
    "fr_nir": values.fr_nir,
    "it_fiscal_code": values.it_fiscal_code,
    "nl_bsn": by_check(9, sums.dutch_bsn, first="123456789"),
    "be_nrn": values.be_nrn,
    "pl_pesel": values.pl_pesel,
    "se_pnr": values.se_pnr,
    "fi_hetu": values.fi_hetu,
    "ch_ahv": values.ch_ahv,
    "br_cpf": values.br_cpf,
    "in_aadhaar": by_check(12, sums.verhoeff, lambda n: grouped(n, (4, 4, 4), " "), first="23456789"),
    "cn_ric": values.cn_ric,
    "ca_sin": by_check(
        9, sums.luhn, lambda n: grouped(n, (3, 3, 3), " "), lambda n: grouped(n, (3, 3, 3), "-"), first="1234567"
    ),
    "au_tfn": by_check(9, sums.australian_tfn, lambda n: grouped(n, (3, 3, 3), " "), first="123456789"),
    "phone": values.phone,
    "ip_address": values.ip_address,
}

LABELS = {
    "password": ("password", "DB_PASSWORD", "passwd", "client_secret", "Passwort", "api_key", "secret"),
    "email": ("email", "E-Mail", "contact", "Mail"),
    "phone": ("phone", "Tel.", "Telefon", "mobile", "Mobil", "call me at", "Tél.", "Fax"),
    "credit_card": ("card", "Visa", "credit card", "Kreditkarte", "card number"),
    "iban": ("IBAN", "account", "Konto"),
    "us_ssn": ("SSN", "social security number"),
    "uk_nino": ("NI number", "National Insurance", "NINO"),
    "uk_nhs": ("NHS number", "NHS no."),
    "es_dni": ("DNI", "NIF"),
    "es_nie": ("NIE",),
    "de_tax_id": ("Steuer-ID", "Steueridentifikationsnummer", "IdNr.", "tax ID"),
    "fr_nir": ("numéro de sécurité sociale", "NIR"),
    "it_fiscal_code": ("codice fiscale", "C.F."),
    "nl_bsn": ("BSN", "burgerservicenummer"),
    "pl_pesel": ("PESEL",),
    "se_pnr": ("personnummer", "Personnr"),
    "br_cpf": ("CPF",),
    "in_aadhaar": ("Aadhaar", "Aadhaar number", "UID"),
    "ca_sin": ("SIN", "social insurance number"),
    "au_tfn": ("TFN", "tax file number"),
    "ip_address": ("IP", "client", "remote address"),
}
"""What stands in front of a value whose format alone is weak, and sometimes of the others."""
