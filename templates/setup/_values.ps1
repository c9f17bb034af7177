# These values are all that the script knows about you. None of them is a secret.
$TenantName = {{ s.tenant }}
$DirectoryId = {{ s.directory_id }}
$ClientId = {{ s.client_id }}
$ObjectId = {{ s.object_id }}
$Mailbox = {{ s.mailbox }}
$Model = {{ s.model }}
{% if form != "check" %}
$RecordName = {{ s.record_name }}
{% endif %}
{% if form == "setup" %}
$DisplayName = {{ s.display_name }}
{% endif %}
{% if rbac %}
$ScopeName = {{ s.scope_name }}
$RoleName = 'Application SMTP.SendAsApp'
{% if form == "setup" %}
$ScopeFilter = {{ s.scope_filter }}
{% endif %}
{% endif %}
