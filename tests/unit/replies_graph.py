"""What Graph answers, and what is said of a scan that it ended, by the rule it leads to."""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

# rule, or rule@stage, then a wording; each rule has two or more.
GRAPH = r"""
graph_denied | {"error":{"code":"Authorization_RequestDenied","message":"no"}}
graph_denied | Insufficient privileges to complete the operation.
graph_access_denied | HTTP 403 Forbidden
graph_access_denied | {"error": {"code": "accessDenied", "message": "x"}}
graph_licence | {"error":{"code":"Authentication_RequestFromNonPremiumTenantOrB2CTenant"}}
graph_licence | Neither tenant is B2C or tenant doesn't have premium license
graph_token_expired | {"code":"InvalidAuthenticationToken","message":"Lifetime validation failed, the token is expired."}
graph_token_expired | Continuous access evaluation resulted in challenge with result: InteractionRequired
graph_token | {"error":{"code":"InvalidAuthenticationToken","message":"CompactToken parsing failed"}}
graph_token | Code: InvalidAuthenticationToken Message: IDX14100
graph_absent | {"error":{"code":"Request_ResourceNotFound","message":"Resource 'x' does not exist"}}
graph_absent | Resource 'x' does not exist or one of its queried reference-property objects are not present.
scan_restart | {"error":{"code":"resyncRequired","message":"x"}}
scan_restart | the scan ended before its last page
json_broken | json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
json_broken | msgspec.DecodeError: Input data was truncated
graph_passing | {"error":{"code":"UnknownError","message":""}}
graph_passing | HTTP Error 503: Service Unavailable
canary_in_junk | The test mail lies in the Junk Email folder of it@contoso.example.
canary_in_junk | The message trace says: filteredAsSpam.
canary_not_found | The test mail was not found at it@contoso.example after 30 minutes.
canary_not_found | The test mail was not found at it@contoso.example. The message trace says: quarantined.
read_back_refused | Graph refuses the read-back at it@contoso.example: the app has no right Mail.Read there.
read_back_refused | the app has no right Mail.Read there
trace_refused | Graph refuses the read-back: the app has no right ExchangeMessageTrace.Read.All there.
trace_refused | the app has no right ExchangeMessageTrace.Read.All there
canary_without_mailbox | list@contoso.example is no mailbox of the directory whose app looks for the canary.
canary_without_mailbox | it is no mailbox of the directory whose app looks for the canary
"""
