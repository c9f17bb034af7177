    # The account to sign in with. Without it the sign-in window asks.
    [string]$UserPrincipalName = '',
{% if own_cloud %}
    # This tenant's cloud is not one of Microsoft's presets. If Connect-ExchangeOnline needs an
    # environment there, name it: -ExchangeEnvironment O365USGovGCCHigh, say.
{% else %}
    # For -ExchangeEnvironmentName of Connect-ExchangeOnline; empty is the global cloud.
{% endif %}
    [string]$ExchangeEnvironment = {{ environment }},
    # For a partner: sign in with an account of your own directory that may administer this one.
    [switch]$AsPartner,
    # If the sign-in window fails with an error of WAM. Needs version 3.7.2 of the module.
    [switch]$DisableWAM
