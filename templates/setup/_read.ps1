function Get-AppInExchange {
    # Not by -Identity: for a value that it does not know, the cmdlet returns all there are.
    Get-ServicePrincipal -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $ClientId }
}

function Get-AppName {
    # Permissions may show the app by any of these.
    $ObjectId
    Get-AppInExchange | ForEach-Object {
        foreach ($name in @($_.Identity, $_.Name, $_.DisplayName, $_.ObjectId, $_.Sid)) {
            if ($name) { [string]$name }
        }
    }
}

function Get-FullAccess {
    $names = @(Get-AppName)
    Get-MailboxPermission -Identity $Mailbox -ErrorAction Stop | Where-Object {
        ($names -contains [string]$_.User) -and
        ([string]$_.AccessRights -match 'FullAccess') -and
        -not $_.Deny
    }
}
{% if not rbac %}

function Get-SendAs {
    $names = @(Get-AppName)
    Get-RecipientPermission -Identity $Mailbox -ErrorAction Stop | Where-Object {
        ($names -contains [string]$_.Trustee) -and ([string]$_.AccessRights -match 'SendAs')
    }
}
{% else %}

function Get-OwnScope {
    Get-ManagementScope -ErrorAction Stop | Where-Object { [string]$_.Name -eq $ScopeName }
}

function Get-OwnAssignment {
    Get-ManagementRoleAssignment -Role $RoleName -ErrorAction Stop |
        Where-Object { [string]$_.Name -eq $ScopeName }
}

function Test-MaySend {
    $rows = @(Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource $Mailbox -ErrorAction Stop |
        Where-Object { ([string]$_.RoleName -eq $RoleName) -and ([string]$_.InScope -eq 'True') })
    $rows.Count -gt 0
}
{% endif %}

function Get-SmtpAuth {
    # True is off, False is on, and empty is whatever holds for the organisation.
    [string](Get-CASMailbox -Identity $Mailbox -ErrorAction Stop).SmtpClientAuthenticationDisabled
}

function Get-TenantSmtpAuth {
    [string](Get-TransportConfig -ErrorAction Stop).SmtpClientAuthenticationDisabled
}

function Assert-GoodMailbox {
    $box = Get-EXOMailbox -Identity $Mailbox -ErrorAction Stop
    if ([string]$box.PrimarySmtpAddress -ne $Mailbox) {
        throw ('{0} is an alias. Use the primary address of that mailbox, {1}, in Lapsewatch and make the script again.' -f $Mailbox, $box.PrimarySmtpAddress)
    }
    if (@('UserMailbox', 'SharedMailbox') -notcontains [string]$box.RecipientTypeDetails) {
        throw ('{0} is a {1}. It must be a user mailbox or a shared mailbox.' -f $Mailbox, $box.RecipientTypeDetails)
    }
    '{0}, {1}' -f $box.PrimarySmtpAddress, $box.RecipientTypeDetails
}
