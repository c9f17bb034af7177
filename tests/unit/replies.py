"""All replies that the rules are tried on, the vocabulary of causes, and the rules themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path

from monitor.diagnose import Rulebook
from tests.unit.replies_entra import ENTRA
from tests.unit.replies_graph import GRAPH
from tests.unit.replies_mended import MENDED
from tests.unit.replies_network import NETWORK
from tests.unit.replies_smtp import SMTP

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "monitor" / "diagnose_rules.toml").read_text("utf-8")
BOOK = Rulebook.parse(RULES)

IDS = """
ok generic_oauth_failure smtp_auth_disabled_tenant smtp_auth_disabled_mailbox
no_mailbox_permission send_as_denied basic_auth_off bad_password wrong_mechanism
malformed_auth not_authenticated security_defaults conditional_access federation_sts
tls_too_old starttls_required remote_tls concurrent_limit throttled quota too_large
too_many_recipients mailbox_full recipient_full recipient_unknown recipient_restricted
relay_denied routing_loop dns_failure remote_unreachable sender_blocked tenant_blocked
ip_blocked spf_dmarc content_rejected malformed_helo transient_backend
name_not_found connect_refused connect_timeout reply_timeout tls_untrusted
tls_intercepted xoauth2_not_offered object_id_mismatch sp_not_in_exchange
delegated_permission wrong_api_permission propagating
not_arrived in_junk mail_read_missing trace_read_missing canary_mailbox_missing
wrong_secret expired_secret no_credential_sent app_not_found app_disabled
tenant_not_found bad_tenant_id wrong_cloud consent_missing role_assignment_required
permission_missing resource_not_found resource_disabled missing_service_principal
bad_scope ca_blocked cert_not_registered bad_assertion_signature assertion_expired
assertion_malformed fic_no_match fic_issuer_mismatch fic_subject_mismatch
fic_case_mismatch managed_identity_missing managed_identity_ambiguous
html_instead_of_json transient clock_skew secret_missing malformed_page
scan_incomplete scan_shrunk unknown
"""
VOCABULARY = set(IDS.split())
CASES = [
    tuple(part.strip().replace("⏎", "\n") for part in line.split(" | ", 1))
    for table in (SMTP, NETWORK, ENTRA, GRAPH, MENDED)
    for line in table.strip().splitlines()
]
TABLES = tomllib.loads(RULES)["rule"]
