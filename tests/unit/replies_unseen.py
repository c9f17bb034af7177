"""Wordings that no rule was written after, by the cause they mean.

They were written down when the rules stood, in the form in which public threads and documents quote
such replies; not each was looked up. One failed, and led to a better rule: .NET's "The remote name
could not be resolved".
"""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

from typing import NamedTuple

from tests.unit.replies_found import COMPOSED, FOUND

# cause, or cause@stage, then a wording as it was posted.
UNSEEN = r"""
smtp_auth_disabled_tenant | javax.mail.AuthenticationFailedException: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [LO4P123CA0337.GBRP123.PROD.OUTLOOK.COM]
smtp_auth_disabled_mailbox | MailKit.Security.AuthenticationException: 535: 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.
generic_oauth_failure | smtplib.SMTPAuthenticationError: (535, b'5.7.3 Authentication unsuccessful [MA2P287CA0011.INDP287.PROD.OUTLOOK.COM]')
generic_oauth_failure | MailKit.Security.AuthenticationException: 535: 5.7.3 Authentication unsuccessful [BL1PR13CA0441.namprd13.prod.outlook.com 2023-09-12T13:17:33.417Z 08DBB30A15E4B4B7]
generic_oauth_failure@auth | DefaultAuthenticateSasl: 535 5.7.3 Authentication unsuccessful
basic_auth_off | 535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [BN9PR03CA0117.namprd03.prod.outlook.com 2024-09-30T15:05:30.291Z 08DCE0B0D0C1A2C9]
basic_auth_off | System.Net.Mail.SmtpException: 550 5.7.30 Basic authentication is not supported for Client Submission.
bad_password | 535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [SJ0PR13CA0055.namprd13.prod.outlook.com]
security_defaults | 535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator. [BYAPR05CA0074.namprd05.prod.outlook.com]
conditional_access | 535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator. [AM0PR02CA0143.eurprd02.prod.outlook.com]
not_authenticated | 530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM [VI1PR0102CA0086.eurprd01.prod.exchangelabs.com]
not_authenticated | The SMTP server requires a secure connection or the client was not authenticated. The server response was: 5.7.57 Client not authenticated to send mail.
no_mailbox_permission | 430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due to a transient exception with message Cannot open mailbox /o=ExchangeLabs/ou=Exchange Administrative Group
send_as_denied | 554 5.2.252 SendAsDenied; scan@contoso.com not allowed to send as info@contoso.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message Cannot submit message.
send_as_denied | 550 5.7.60 SMTP; Client does not have permissions to send as this sender
concurrent_limit | 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [Hostname=DM6PR03MB4172.namprd03.prod.outlook.com]
concurrent_limit | 432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded. [Hostname=HE1PR0102MB2620.eurprd01.prod.exchangelabs.com]
quota | 550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
quota | 550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients
sender_blocked | 550 5.1.8 Access denied, bad outbound sender AS(42004)
ip_blocked | 550 5.7.606 Access denied, banned sending IP [203.0.113.7]. To request removal from this list please visit https://sender.office.com/
tls_too_old | 421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. Visit https://aka.ms/smtp_auth_tls.
recipient_unknown | 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
mailbox_full | 554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception
too_large | 554 5.2.3 MsgSizeLimit; Message size exceeds configured limit
wrong_mechanism | 504 5.7.4 Unrecognized authentication type [AM6PR0202CA0063.eurprd02.prod.outlook.com]
starttls_required | 451 5.7.3 STARTTLS is required to send mail [SN7PR04CA0187.namprd04.prod.outlook.com]
wrong_secret | AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '00000000-0000-4000-8000-000000000001'.
wrong_secret | {"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret is provided.\r\nTrace ID: 0a1b","error_codes":[7000215]}
expired_secret | azure.core.exceptions.ClientAuthenticationError: AADSTS7000222: The provided client secret keys for app '00000000-0000-4000-8000-000000000001' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret
no_credential_sent | AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.
no_credential_sent | AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.
app_not_found | AADSTS700016: Application with identifier '00000000-0000-4000-8000-000000000001' was not found in the directory 'Contoso'. This can happen if the application has not been installed by the administrator of the tenant
app_disabled | AADSTS7000112: Application '00000000-0000-4000-8000-000000000001'(Backup) is disabled.
tenant_not_found | AADSTS90002: Tenant 'contoso.onmicrosoft.com' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.
bad_tenant_id | AADSTS900023: Specified tenant identifier 'common1' is neither a valid DNS name, nor a valid external domain.
wrong_cloud | AADSTS900382: Confidential Client is not supported in Cross Cloud request.
consent_missing | AADSTS65001: The user or administrator has not consented to use the application with ID '00000000-0000-4000-8000-000000000001' named 'Mailer'. Send an interactive authorization request for this user and resource.
role_assignment_required | AADSTS501051: Application '00000000-0000-4000-8000-000000000001'(X) is not assigned to a role for the application '00000000-0000-4000-8000-000000000002'(Y).
resource_not_found | AADSTS500011: The resource principal named https://outlook.office365.us was not found in the tenant named Contoso.
bad_scope | AADSTS1002012: The provided value for scope https://outlook.office365.com/SMTP.Send is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).
bad_scope | AADSTS70011: The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope offline_access is not valid.
missing_service_principal | AADSTS7000229: The client application 00000000-0000-4000-8000-000000000001 is missing service principal in the tenant 00000000-0000-4000-8000-000000000002.
ca_blocked@token | AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.
cert_not_registered | AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: 'A1B2']
assertion_expired | AADSTS700024: Client assertion is not within its valid time range. Current time: 2024-06-10T07:31:25Z, assertion valid from 2024-06-10T09:21:24Z, expiry time of assertion 2024-06-10T09:31:24Z.
fic_subject_mismatch | AADSTS700213: No matching federated identity record found for presented assertion subject 'repo:contoso/app:ref:refs/heads/dev'.
fic_issuer_mismatch | AADSTS700211: No matching federated identity record found for presented assertion issuer 'https://token.actions.githubusercontent.com'.
permission_missing@graph | {"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation.","innerError":{"date":"2023-05-31T12:00:00"}}}
throttled | {"error":{"code":"TooManyRequests","message":"Too many requests","innerError":{"date":"2024-01-01T00:00:00"}}}
name_not_found | socket.gaierror: [Errno -2] Name or service not known
name_not_found | getaddrinfo ENOTFOUND smtp.office365.com
name_not_found | The remote name could not be resolved: 'smtp.office365.com'
connect_refused | ConnectionRefusedError: [WinError 10061] No connection could be made because the target machine actively refused it
connect_refused | connect ECONNREFUSED 52.97.201.242:587
connect_timeout | ETIMEDOUT: connect ETIMEDOUT 40.101.12.98:587
connect_timeout | A connection attempt failed because the connected party did not properly respond after a period of time
tls_untrusted | ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)
tls_untrusted | unable to verify the first certificate
secret_missing | (SecretNotFound) A secret with (name/id) contoso was not found in this key vault.
"""


class Unseen(NamedTuple):
    """A wording, the cause it means, the others that it fits as well, and where it came from."""

    cause: str
    also: tuple[str, ...]
    stage: str | None
    text: str


def unseen() -> list[Unseen]:
    """All wordings that no rule was written after."""
    return [
        read(line) for table in (UNSEEN, FOUND, COMPOSED) for line in table.strip().splitlines()
    ]


def read(line: str) -> Unseen:
    """Read one line of a table: `cause?other@stage | wording`."""
    head, _, text = line.partition(" | ")
    causes, _, stage = head.partition("@")
    cause, *also = causes.split("?")
    return Unseen(cause, tuple(also), stage or None, text.replace("⏎", "\n"))
