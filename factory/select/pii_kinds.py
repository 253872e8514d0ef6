"""The kinds of personal data and secrets that `select` looks for, and the placeholder that stands for each.

Design: names only, apart from the patterns, because the configuration checks them wherever it is loaded.
"""

from __future__ import annotations

import re

KINDS = {
    "private_key": "private keys in PEM or PGP armour",
    "url_credentials": "user and password in an address",
    "jwt": "JSON web tokens with a readable header",
    "aws_key": "Amazon access key ids",
    "github_token": "GitHub tokens",
    "gitlab_token": "GitLab tokens",
    "slack_token": "Slack tokens and webhooks",
    "stripe_key": "Stripe live keys and webhook secrets",
    "google_api_key": "Google API keys and client secrets",
    "openai_key": "keys of OpenAI's form (sk-…), which others use too",
    "api_token": "tokens of other services with a prefix of their own (Hugging Face, npm, PyPI, SendGrid, …)",
    "password": "passwords and keys that are assigned or stated",
    "email": "e-mail addresses",
    "iban": "international bank account numbers",
    "credit_card": "payment card numbers",
    "us_ssn": "United States social security numbers",
    "uk_nino": "United Kingdom national insurance numbers",
    "uk_nhs": "United Kingdom health service numbers",
    "es_dni": "Spanish identity card numbers",
    "es_nie": "Spanish foreigners' numbers",
    "de_tax_id": "German tax identification numbers",
    "fr_nir": "French social security numbers",
    "it_fiscal_code": "Italian fiscal codes",
    "nl_bsn": "Dutch citizen service numbers",
    "be_nrn": "Belgian national register numbers",
    "pl_pesel": "Polish PESEL numbers",
    "se_pnr": "Swedish personal identity numbers",
    "fi_hetu": "Finnish personal identity codes",
    "ch_ahv": "Swiss social insurance numbers",
    "br_cpf": "Brazilian taxpayer numbers",
    "in_aadhaar": "Indian Aadhaar numbers",
    "cn_ric": "Chinese resident identity numbers",
    "ca_sin": "Canadian social insurance numbers",
    "au_tfn": "Australian tax file numbers",
    "phone": "telephone numbers",
    "ip_address": "public IP addresses",
}
"""Kind -> what it means. Where finds overlap, the kind that stands first gives the name."""

PRIORITY = {kind: place for place, kind in enumerate(KINDS)}

PLACEHOLDERS = {kind: f"<{kind.upper()}>" for kind in KINDS}

PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())))
