"""Wordings that no rule knew on first sight, by the rule that was then made wider, split or new.

They come from where `replies_found.py` says. The most telling: a managed identity's "authentication
failed" was taken for a mail server's, .NET's and Go's words for a bad certificate were unknown, and
4.4.317 always counted as a TLS failure.
"""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

# The sign ⏎ stands for a line break.
MENDED = r"""
concurrent | smtp;421 4.3.2 The maximum number of concurrent connections per resource forest has exceeded a limit, closing transmission channel. example.com. PRX8 [example.com]
rate | Message: This request is throttled. Please try again after the value specified in the Retry-After header. CorrelationId: XXX⏎InnerError:⏎RequestId: YYY⏎DateTimeStamp: Thu, 6 May 2021 08:00:21 GMT⏎HttpStatusCode: 429⏎HttpStatusDescription: Completed⏎Error occurred while executing GetAuditSignInLogs⏎Code: UnknownError
rate | message sending failed: 4.7.1 Ratelimit \"user\" exceeded (451)
rate | smtp;550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. For more information, please visit https://support.google.com/mail/?p=ReceivingRatePerm - gsmtp
quota_daily | <error> <name>Net::SMTPServerBusy</name> <message>454 Throttling failure: Daily message quota exceeded. </message> </error>
quota_daily | 550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852 - gsmtp
recipient_mailbox_full | smtp;552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]
recipient_mailbox_full | smtp;552 Requested mail action aborted: exceeded storage allocation Quota exceeded.
relay | {[{LED=550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set [CH3PEPF00000000.namprd21.prod.outlook.com]
loop | 550 5.7.128 TRANSPORT.RULES.RejectMessage; Transport rules loop count exceeded and message rejected
remote_dropped | smtp;421 4.1.1 <email@example.com>: Recipient address rejected: unverified address: host example.com[192.0.2.9] said: 450 4.1.1 <email@example.com>: Recipient address rejected: unverified address: lost connection with mail.example.com[192.0.2.9] while sending RCPT TO (in reply to RCPT TO command)
next_server_tls | reason: 403 4.7.0 TLS handshake failed
remote_refuses_start | Reason: [{LED=450 4.4.317 Cannot connect to remote server [Message=SocketError: TimedOut] [LastAttemptedServerName=mx.fabrikam.example] [LastAttemptedIP=192.0.2.10:25]};{MSG=};{FQDN=mx.fabrikam.example};{IP=192.0.2.10};{LRT=}
sender_restricted | 550 5.7.502 Access denied, banned sender [ann@contoso.example]
ip_reputation | 550 Access from ip address 192.0.2.1 blocked.
sender_policy | 550 5.1.0 192.0.2.222 is not allowed to send from <example.net> per it's SPF Record
content | smtp;554 5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc ##
content | smtp;552 5.7.1 virus Eicar-Test detected by Zoho Mail
helo | 501 5.5.4 Empty HELO/EHLO argument not allowed, closing connection. 501 5.5.4 https://support.google.com/mail/?p=helo
resolve | Caused by: java.net.UnknownHostException: smtp.office356.com
connect_slow | dial tcp 192.0.2.9:587: i/o timeout
read_slow | { Error: Greeting never received⏎    at SMTPConnection._formatError (/srv/node_modules/smtp-connection/lib/smtp-connection.js:493:15) code: 'ETIMEDOUT', command: 'CONN' }
read_slow | [09-Aug-2016 09:54:24] SMTP -> get_lines(): $data is ""⏎[09-Aug-2016 09:54:24] SMTP -> get_lines(): timed-out (60 sec)
proxy_certificate | 0 s:C = US, ST = Washington, L = Redmond, O = Microsoft Corporation, CN = *.azure-devices.net⏎   i:C = US, ST = California, O = Zscaler Inc., OU = Zscaler Inc., CN = "Zscaler Intermediate Root CA (zscloud.net) (t) "
certificate_name | [2025-07-15 14:07:16]⏎failed to send notification⏎[2025-07-15 14:07:16]⏎tls: failed to verify certificate: x509: certificate is valid for MX-P-EX2, MX-P-EX2.contoso.example, not mail.fabrikam.example
certificate_name | Error: Hostname/IP doesn't match certificate's altnames
certificate_name | x509: certificate is valid for *.mail.contoso.example, not smtp.office365.com
certificate_name | javax.net.ssl.SSLHandshakeException: No subject alternative DNS name matching smtp.office365.com found.
certificate | System.Security.Authentication.AuthenticationException: The remote certificate was rejected by the provided RemoteCertificateValidationCallback.
certificate | The remote certificate is invalid according to the validation procedure.
starttls_hidden | MailKit: System.NotSupportedException: The SMTP server does not support the STARTTLS extension.
no_xoauth2 | Auth method requested: XOAUTH2⏎Auth methods available on the server: PLAIN,LOGIN⏎SMTP Error: Could not authenticate.
no_xoauth2 | System.NotSupportedException: The SMTP server does not support authentication.
too_fresh | Error: Timed out whilst waiting for new service principal to be replicated in Azure AD
aadsts_50012_certificate | AADSTS50012: The certificate with thumbprint 977B10FB is not authorized. Trace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00 Correlation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c Timestamp: 2024-05-22 08:12:42Z
tenant_malformed | AADSTS90013: Invalid input received from the user. The provided directory ID is invalid.
app_misconfigured | Timestamp: 2019-06-06T14:48:29Z⏎Message: AADSTS650056: Misconfigured application. This could be due to one of the following: The client has not listed any permissions for 'AAD Graph' in the requested permissions in the client's application registration. Or, The admin has not consented in the tenant. Or, Check the application identifier in the request to ensure it matches the configured client application identifier. Please contact your admin to fix the configuration or consent on behalf of the tenant. Client app ID: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee
aadsts_50001 | AADSTS50001: The application named https://graph.windows.net/ was not found in the tenant named contoso  This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.  You might have sent your authentication request to the wrong tenant.⏎Trace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00⏎Correlation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c⏎Timestamp: 2024-05-22 08:12:42Z
aadsts_50001_disabled | Failure processing file: Customers.csv.Exception : AADSTS50001: Resource 'https://contoso.aos.dynamics.example' is disabled.⏎Trace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00⏎Correlation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c⏎Timestamp: 2024-05-22 08:12:42Z
wrong_kind_of_permission | The app holds the delegated permission SMTP.Send; a daemon needs the application permission SMTP.SendAsApp
wrong_kind_of_permission | The token has scp but no roles: it is a delegated token
wrong_api | SMTP.SendAsApp is granted for Microsoft Graph, but must be granted for Office 365 Exchange Online
workload_policy | <psf:internalerror>\n        <psf:code>0x80048823</psf:code>\n        <psf:text>AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.</psf:text>
user_policy | AADSTS53000: Your device is required to be compliant to access this resource. Trace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00 Correlation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c Timestamp: 2024-05-22 08:12:42Z
certificate_key_unknown | AADSTS50013: Assertion failed signature validation. [Reason - The key was not found., Thumbprint of key used by client: 'xxxx', Please visit the Azure Portal]
assertion_time_old | com.microsoft.aad.adal4j.AuthenticationException: {"error_description":"AADSTS70002: Error validating credentials. AADSTS50012: Client assertion is not within its valid time range.\r\nTrace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00\r\nCorrelation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c\r\nTimestamp: 2024-05-22 08:12:42Z","error":"invalid_client"}
assertion_time_old | AADSTS50013: Assertion is not within its valid time range.
assertion_claims | AADSTS50048: Subject mismatches Issuer claim in the client assertion. Trace ID: 0a1b2c3d-0000-4000-8000-0a1b2c3d4e00 Correlation ID: 5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c Timestamp: 2024-05-22 08:12:42Z
fic_subject_form | {"message": "Login failed", "statusCode": 401, "responseBody": "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7002137: No matching federated identity record found for presented assertion subject '/eid1/c/pub/t/AAAA/a/BBBB/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'. Please make sure the federated identity credential Subject is '/eid1/c/pub/t/{tenantId}/a/BBBB/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'.
identity_not_loaded | ManagedIdentityCredential authentication failed: [Managed Identity] Error Message: Unable to load the proper Managed Identity. Managed Identity Correlation ID: xxxxxxxxxxxxxx Use this Correlation ID for further investigation.
graph_token_expired | {'error': {'code': 'InvalidAuthenticationToken', 'message': 'CompactToken validation failed with reason code: 80049228.', 'innerError': {'request-id': 'c2920885-0000-4000-8000-dbe21c52ec1e', 'date': '2018-08-02T21:52:02'}}}
secret_absent | EnvironmentCredential: EnvironmentCredential authentication unavailable. Environment variables are not fully configured.
json_broken | SyntaxError: JSON.parse: unexpected character at line 1 column 1 of the JSON data
web_page_reported | 0, message='Attempt to decode JSON with unexpected mimetype: text/html; charset=utf-8', url=URL('https://graph.microsoft.com/v1.0/applications')
web_page_reported | Unexpected token '<', "<!DOCTYPE "... is not valid JSON
web_page_reported | aiohttp.client_exceptions.ContentTypeError: 200, message='Attempt to decode JSON with unexpected mimetype: text/html', url='https://login.microsoftonline.com/'
token_rate | invalid_grant: AADSTS50196: The server terminated an operation because it encountered a loop while processing a request.
graph_passing | {⏎    "error": {⏎        "code": "MailboxInfoStale",⏎        "message": "Target resource '11111111-2222-3333-4444-555555555555' hosted on database '5f6a7b8c-0000-4000-8000-9d0e1f2a3b4c' is currently on backend 'Unknown'"⏎    }⏎}
graph_passing | (Caused by ResponseError('too many 504 error responses'))
"""
