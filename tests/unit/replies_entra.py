"""What Entra answers to a request for a token, and why there was none, by the rule it leads to."""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

# rule, or rule@stage, then a wording; each rule has two or more.
ENTRA = r"""
secret_wrong | AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the value
secret_wrong | {"error":"invalid_client","error_codes":[7000215]}
aadsts_50012 | AADSTS50012: Error validating credentials
aadsts_50012 | {"error_codes": [70002, 50012]}
aadsts_50012_claims | AADSTS70002: Error. AADSTS50012: Client assertion audience claim does not match
aadsts_50012_claims | AADSTS50012: audience does not match Realm issuer
aadsts_50012_secret | AADSTS70002: Error validating credentials. AADSTS50012: Invalid client secret is provided.
aadsts_50012_secret | AADSTS50012 - the client secret is not right
secret_expired | AADSTS7000222: The provided client secret keys for app '1f3e' are expired.
secret_expired | The provided client secret keys are expired. Visit the Azure portal to create new keys
credential_absent | AADSTS7000218: The request body must contain 'client_assertion' or 'client_secret'.
credential_absent | {"error":{"code":"InvalidAuthenticationToken","message":"Access token is empty."}}
invalid_client | {"error": "invalid_client"}
invalid_client | oauth2: cannot fetch token: 401 Unauthorized, invalid_client
app_absent | AADSTS700016: Application with identifier '1f3e' was not found in the directory 'Contoso'.
app_absent | <html><p>Trouble signing you in.</p> AADSTS700016: Application was not found</html>
aadsts_70001 | AADSTS70001: UnauthorizedClient
aadsts_70001 | {'error_codes': [70001]}
aadsts_70001_absent | AADSTS70001: Application with identifier 'x' was not found in the directory y
aadsts_70001_absent | AADSTS70001 Application could not be found
app_off | AADSTS7000112: Application '1f3e'(Mail) is disabled.
app_off | https://login.example/error?code=7000112
unauthorized_client | {"error":"unauthorized_client"}
unauthorized_client | token request: unauthorized_client
tenant_absent | AADSTS90002: Tenant 'x' not found. Check to make sure you have the correct tenant ID
tenant_absent | {"error":"invalid_tenant","error_description":"Tenant 'contoso.invalid' not found."}
tenant_malformed | AADSTS900023: Specified tenant identifier 'x' is neither a valid DNS name, nor a domain.
tenant_malformed | AADSTS900021: Requested tenant identifier '0000' is not valid.
tenant_refuses | AADSTS5000224: We are sorry, this resource is not available.
tenant_refuses | AADSTS500021: Access to 'contoso' tenant is denied.
other_cloud | AADSTS900382: Confidential Client is not supported in Cross Cloud request.
other_cloud | AADSTS90038: Confidential client belongs to tenant in another national cloud
consent | AADSTS65001: The user or administrator has not consented to use the application
consent | AADSTS90099: The application has not been authorized in the tenant
token_without_roles | {"error":{"code":"NoPermissionsInAccessToken","message":"no permissions"}}
token_without_roles | Either scp or roles claim need to be present in the token.
assignment | AADSTS501051: Application '1' is not assigned to a role for the application '2'.
assignment | {"error_codes":[50105]}
api_absent | AADSTS500011: The resource principal named https://x was not found in the tenant
aadsts_50001 | AADSTS50001: resource unknown
api_not_subscribed | AADSTS650052: The app needs access to a service that you have not subscribed to
api_not_subscribed | {"error_codes":[650052]}
api_disabled | AADSTS500014: The service principal for resource 'https://x' is disabled.
api_disabled | The service principal for resource 'https://outlook' is disabled
app_without_sp | AADSTS7000229: The client application 1f3e is missing service principal in the tenant
app_without_sp | {"error":{"code":"Authorization_IdentityNotFound"}}
api_not_listed | AADSTS650057: Invalid resource. The client has requested access to a resource
api_not_listed | error_codes: [650057]
scope | AADSTS1002012: The provided value for scope https://x/SMTP.SendAsApp is not valid.
scope | {"error":"invalid_scope"}
audience | {"error":{"code":"InvalidAuthenticationToken","message":"Invalid audience."}}
audience | Access token validation failure. Invalid audience.
wrong_kind_of_permission | SMTP.Send is a delegated permission instead of an application permission
wrong_kind_of_permission | the token is delegated: it has a upn
wrong_api | the permission of another API was granted
wrong_api | SMTP.SendAsApp was granted on Microsoft Graph instead of Exchange
workload_policy | AADSTS53003: Access has been blocked by Conditional Access policies.
own_sign_in_policy@token | {"error":"access_denied","error_codes":[53003]}
workload_policy | access_denied: Access has been blocked by Conditional Access policies.
token_security_defaults | AADSTS530035: Access has been blocked by security defaults.
token_security_defaults | {"error_codes":[530035]}
user_needs_mfa | AADSTS50076: you must use multi-factor authentication
user_needs_mfa | AADSTS50079: enroll in multi-factor authentication
user_password | AADSTS50126: Error validating credentials due to invalid username or password.
user_password | AADSTS50055: The password is expired.
user_absent | AADSTS50034: The user account does not exist in the directory.
user_absent | {"error_codes":[50034]}
certificate_key | AADSTS700027: Client assertion failed
certificate_key | {"error_codes":[700027]}
certificate_unknown | AADSTS700026: Client application has no configured keys.
certificate_unknown | contains an invalid signature. [Reason - The key was not found., Thumbprint: 'AB']
certificate_out_of_date | AADSTS700027: invalid signature. [Reason - The key used is expired., Thumbprint]
certificate_out_of_date | [Reason - The key used is expired.]
certificate_key_unknown | AADSTS700027: invalid signature. [Reason - The key was not found.]
certificate_key_unknown | AADSTS700027: The certificate with identifier 'AB' is not registered for the app
signature_wrong | AADSTS50013: Assertion failed signature validation.
signature_wrong | The provided signature value did not match the expected signature value.
aadsts_700027_signature | AADSTS700027: [Reason - The provided signature value did not match the expected]
aadsts_700027_signature | AADSTS700027 signature value is invalid
assertion_time | AADSTS700024: Client assertion is not within its valid time range. Current time: x
assertion_time | AADSTS500133: Assertion is not within its valid time range
assertion_claims | AADSTS700023: Client assertion audience claim does not match Realm issuer.
assertion_claims | AADSTS50027: Invalid JWT token.
fic_none | AADSTS70021: No matching federated identity record found for presented assertion.
fic_none | No matching federated identity record found for presented assertion audience 'x'
fic_issuer | AADSTS700211: No matching federated identity record found for presented assertion issuer
fic_issuer | No matching federated identity record found for presented assertion issuer 'https://x'
fic_subject | AADSTS700213: No matching federated identity record found for presented assertion subject
fic_subject | {"error":"invalid_client","error_codes":[700213]}
fic_case | AADSTS7002138: No matching federated identity record found, case-sensitive
fic_case | federated identity matched only by case
identity_several | Multiple user assigned identities exist, please specify the clientId / resourceId
identity_several | multiple user-assigned managed identities on this VM
identity_none | ManagedIdentityCredential authentication unavailable, no response from the IMDS endpoint.
identity_none | {"error":"invalid_request","error_description":"Identity not found"}
clock | IDX: The token is not yet valid.
clock | the clock of this machine differs by 11 minutes
secret_absent | [Errno 2] No such file or directory: 'secrets/contoso'
secret_absent | environment variable CONTOSO_SMTP is not set
token_rate | AADSTS90055: tenant throttled
token_rate | {"error_codes":[90055]}
token_passing | AADSTS90033: A transient error has occurred. Please try again.
token_passing | {"error":"temporarily_unavailable"}
"""
