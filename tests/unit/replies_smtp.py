"""What Exchange and other mail servers answer, and what their setup says, by the rule it leads to."""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

# rule, or rule@stage, then a wording; each rule has two or more.
SMTP = r"""
accepted | 250 2.0.0 OK <a1@contoso.example> [Hostname=AM0PR01MB6099.eurprd01.prod.outlook.com]
accepted | (235, b'2.7.0 Authentication successful')
accepted | 221 2.0.0 Service closing transmission channel
accepted | 220 AB.outlook.office365.com Microsoft ESMTP MAIL Service ready at Thu, 10 Oct 2024
accepted | 354 Start mail input; end with <CRLF>.<CRLF>
accepted_bare | OK
accepted_bare | 202 Accepted
oauth_generic | 535 5.7.3 Authentication unsuccessful [AB.prod.exchangelabs.com 2024-03-20T10:27Z 08DC]
oauth_generic | (535, b'5.7.3 Authentication unsuccessful [AB.outlook.com]')
oauth_generic | mailer: Could not authenticate. SMTP code: 535 Additional info: 5.7.3
oauth_generic | 530 5.7.57 Client not authenticated to send mail. Error: 535 5.7.3 Authentication unsuccessful
oauth_challenge | 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
oauth_challenge | {"status":"401","schemes":"Bearer","scope":"https://mail.example/"}
auth_failed_other_server | 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6
auth_failed_other_server | smtp: authentication failure at relay.example
between_exchange_servers | 451 5.7.3 Cannot achieve Exchange Server authentication
between_exchange_servers | LED=451 5.7.3 cannot achieve exchange server authentication};{FQDN=mx1}
auth_5_7_139_bare | 535 5.7.139 Authentication unsuccessful
auth_5_7_139_bare | SMTPAuthenticationError: (535, '5.7.139')
smtp_auth_tenant | 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.
smtp_auth_tenant | 530 5.7.57 Client not authenticated. Error: 535 5.7.139 SmtpClientAuthentication\r\nis disabled for the Tenant.
smtp_auth_mailbox | 535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled
smtp_auth_mailbox | SMTP AUTH is disabled for this mailbox
smtp_auth_disabled_link | 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled
smtp_auth_disabled_link | rejected, see https://aka.ms/smtp_auth_disabled for more information
basic_auth | 535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [AB]
basic_auth | 550 5.7.30 Basic authentication is not supported for Client Submission.
bad_credentials | 535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [AB]
bad_credentials | 535-5.7.8 Username and Password not accepted. For more information, go to
security_defaults_smtp | 535 5.7.139 user is locked by your organization's security defaults policy.
security_defaults_smtp | user is locked by your organisation’s security defaults policy
criteria_not_met | 535 5.7.139 the request did not meet the criteria to be authenticated successfully.
criteria_not_met | sign-in was blocked by your organization's authentication policy
sts | 535 5.7.139 Authentication unsuccessful, federated STS service was unreachable.
sts | Authentication unsuccessful, the federated STS URL does not support HTTPS.
mechanism | 504 5.7.4 Unrecognized authentication type [AB.prod.outlook.com]
mechanism | 504 5.5.4 Unrecognized authentication type
xoauth2_data | 501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.
xoauth2_data | Invalid XOAUTH2 auth data - Token will expire soon error
auth_arguments@auth | 500 Command line too long
auth_arguments@auth | 501 5.5.4 Syntax error in parameters
arguments_no_stage | 501 5.5.4 Invalid arguments
arguments_no_stage | (501, b'5.5.4 Unrecognized parameter')
auth_temporary | 454 4.7.0 Temporary authentication failure
auth_temporary | auth: temporary authentication error, try later
client_tls | 421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client
client_tls | [SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:1000)
client_not_authenticated | 530 5.7.57 Client not authenticated to send mail. [AB]
client_not_authenticated | 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM
client_not_authenticated | 530 5.7.0 Authentication required
starttls_first | 530 5.7.0 Must issue a STARTTLS command first
starttls_first | 451 5.7.3 STARTTLS is required to send mail [AB]
concurrent | 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending
concurrent | 432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=AB]
concurrent | Application is over its MailboxConcurrency limit.
rate | {"error":{"code":"TooManyRequests","message":"Please retry again later."}}
rate | 421 4.4.2 Message submission rate for this client has exceeded the configured limit
rate | 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
server_busy | 451 4.7.500 Server busy. Please try again later from [203.0.113.9]. (AS77712)
server_busy | 421 Server busy, closing connection
quota_daily | 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed
quota_daily | 550 5.7.233 your tenant exceeded its daily limit (tenant external recipient rate limit)
size | 552 5.3.4 Message size exceeds fixed maximum message size
size | 550 5.2.3 message too large for this recipient
recipient_count | 452 4.5.3 Too many recipients
recipient_count | (452, b'4.5.3 recipients limit')
sending_mailbox_full | 554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.Mapi
sending_mailbox_full | STOREDRV.Submission.Exception: QuotaExceededException
recipient_mailbox_full | 550 5.2.2 STOREDRV.Deliver: mailbox full
recipient_mailbox_full | 452-4.2.2 The email account that you tried to reach is over quota
mailbox_logon | 430 4.2.0 STOREDRV; mailbox logon failure; ConnectionFailedTransientException
mailbox_logon | transient exception with message [BeginDiagnosticData]Cannot open mailbox. Server = AB
mailbox_logon_bare | 430 4.2.0 STOREDRV
mailbox_logon_bare | (430, b'4.2.0')
graph_mailbox_policy | Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy
graph_mailbox_policy | request restricted by an application access policy
send_as | 554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; STOREDRV
send_as | 550 5.7.60 SMTP; Client does not have permissions to send as this sender
send_as | {"error":{"code":"ErrorSendAsDenied","message":"refused"}}
no_recipient | 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
no_recipient | 550-5.1.1 The email account that you tried to reach does not exist
no_recipient | status=bounced (User unknown in virtual mailbox table)
recipient_rejected | 550 5.4.1 Recipient address rejected: Access denied. [AB]
recipient_rejected | Recipient address rejected by mx.example
object_not_found | 554 5.2.0 STOREDRV.Submission.Exception:ObjectNotFoundException; Failed
object_not_found | 554 5.2.0 STOREDRV.Deliver.Exception:X.MapiExceptionNotFound
restricted | 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required
restricted | 550 5.7.124 Sender not in allowed-senders list
refused_5_7_1 | 550 5.7.1 Delivery not authorized, message refused
refused_5_7_1 | host mx.example said: 554 5.7.1 Service refused
relay | 550 5.7.1 Unable to relay
relay | 550 5.7.64 TenantAttribution; Relay Access Denied [AB]
external_forwarding | 550 5.7.520 Access denied, Your organization does not allow external forwarding.
external_forwarding | (550, b'5.7.520 AS(7555)')
loop | 554 5.4.14 Hop count exceeded - possible mail loop ATTR34 [AB]
loop | mail for contoso.example loops back to myself
dns_absent | 550 5.4.310 DNS domain contoso.invalid does not exist [Message=InfoDomainNonexistent]
dns_absent | 450 4.1.2 Recipient address: Domain not found
dns_query | 450 4.4.312 DNS query failed [Message=DnsQueryFailed]
dns_query | 554 5.4.4 SMTPSEND.DNS.NonExistentDomain; unable to route due to invalid recipient domain
remote_down | 550 5.4.300 Message expired
remote_down | LED=441 Cannot connect to remote server
remote_socket | 450 4.4.316 Connection refused [Message=Socket error code 10061]
remote_socket | 550 5.4.300 Message expired -> 450 4.4.315 Connection timed out
remote_dropped | 451 4.4.0 Primary target IP address responded with: "421 4.4.2 Connection dropped"
remote_dropped | 421 4.4.2 bye
idle_or_no_answer | 421 4.4.1 Connection timed out
idle_or_no_answer | b'4.4.1 Connection timed out. Total session duration: 00:10:00'
no_answer_from_host | #4.4.1 smtp;
no_answer_from_host | Status: 4.4.1
remote_wants_tls | 451 4.4.317 Cannot connect [Message=451 5.7.3 STARTTLS is required to send mail]
next_server_tls | 550 5.7.322 certificate-expired: destination mail server's certificate is expired
sender_restricted | 550 5.1.8 Access denied, bad outbound sender AS(42004)
sender_restricted | 5.7.502 Access denied, banned sender
tenant_reputation | 550 5.7.705 Access denied, tenant has exceeded threshold
tenant_reputation | 5.7.750 Service unavailable. Client blocked from sending from unregistered domains
trial_tenant_ip | 550 5.7.708 Access denied, traffic not accepted from this IP
trial_tenant_ip | Service unavailable. Access denied, traffic not accepted from this IP. AS(7230)
ip_reputation | 550 5.7.606 Access denied, banned sending IP [203.0.113.9]
ip_reputation | 550 5.7.1 Service unavailable, Client host [203.0.113.9] blocked using Spamhaus
ip_evaluated | 4.7.500 Access denied, please try again later
ip_evaluated | 451 4.7.650 The mail server has been temporarily rate limited due to IP reputation
sender_policy | 550 5.7.509 Access denied, sending domain x.example does not pass DMARC verification
sender_policy | 550-5.7.26 This mail is unauthenticated\n550 5.7.26 and did not pass SPF
content | 550 5.6.11 Invalid characters (bare LF) found in header
content | 550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by policy
helo | 501 5.5.4 Invalid domain name [AB]
helo | 503 5.5.2 Send hello first
helo_arguments@ehlo | 501 5.5.4 Invalid arguments
helo_arguments@ehlo | 501 Syntax error in host
front_door | 451 4.7.0 Temporary server error. Please try again later. PRX4 [AB]
front_door | 451-4.4.3 Temporary server error. Please try again later ATTR2 [AB]
service_trouble | 421 4.3.2 Service not available
service_trouble | 450 4.7.1 Greylisted, try again in 300 seconds
storedrv_transient | STOREDRV.Submission; Failed to process message due to a transient exception
storedrv_transient | storedrv.deliver: transient trouble
starttls_hidden | STARTTLS extension not supported by server.
starttls_hidden | The SMTP server does not support STARTTLS
no_xoauth2 | oauth_token_generator provided but server does not support XOAUTH2
no_xoauth2 | SMTP AUTH extension not supported by server.
sp_unknown | The service principal 'c0de' couldn't be found on 'AB.prod.outlook.com'.
sp_unknown | New-ServicePrincipal : ManagementObjectNotFoundException
object_id | The object id does not match the enterprise application
object_id | ObjectId c0de is the app registration's
too_fresh | Changes may take up to two hours to propagate
too_fresh | the permission is still propagating
smtp_dropped@auth | Connection unexpectedly closed
smtp_dropped@data | [Errno 104] Connection reset by peer
"""
