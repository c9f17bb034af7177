#Requires -Version 5.1
<#
.SYNOPSIS
Takes back what the set-up script of Lapsewatch made in Exchange Online, and nothing else.
.DESCRIPTION
Made by Lapsewatch. Save it beside the file that the set-up wrote, and run it as an Exchange
Administrator. It asks you to sign in, checks that this is the right directory, and takes back what
that file names. What was there before the set-up stays. The app in Entra is not touched: delete its
secret and its permissions there. It can be run again. It holds no secret.
#>
[CmdletBinding()]
param(
    # The file in which the set-up noted what it made. Without it: the one beside this script.
    [string]$Record = '',
{% include "_parameters.ps1" %}
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 1.0

{% include "_values.ps1" %}

{% include "_connect.ps1" %}

{% include "_read.ps1" %}

{% include "_record.ps1" %}

function Remove-Made([string]$What, [string]$Text) {
    $script:Made = @($Made | Where-Object { $_ -ne $What })
    Save-Record
    Write-Line 'DONE' $Text
}
{% if rbac %}

function Undo-Role {
    if ($Made -contains 'assignment') {
        if (@(Get-OwnAssignment).Count) {
            Remove-ManagementRoleAssignment -Identity $ScopeName -Confirm:$false -ErrorAction Stop
        }
        Remove-Made 'assignment' 'The app no longer has the role.'
    }
    if ($Made -contains 'scope') {
        if (@(Get-OwnScope).Count) {
            Remove-ManagementScope -Identity $ScopeName -Confirm:$false -ErrorAction Stop
        }
        Remove-Made 'scope' 'The management scope is gone.'
    }
}
{% else %}

function Undo-Permission {
    $apps = @(Get-AppInExchange)
    if ($Made -contains 'full_access') {
        if ($apps.Count -and @(Get-FullAccess).Count) {
            Remove-MailboxPermission -Identity $Mailbox -User $apps[0].Identity -AccessRights FullAccess -Confirm:$false -ErrorAction Stop
        }
        Remove-Made 'full_access' 'The app no longer has FullAccess.'
    }
    if ($Made -contains 'send_as') {
        if ($apps.Count -and @(Get-SendAs).Count) {
            Remove-RecipientPermission -Identity $Mailbox -Trustee $apps[0].Identity -AccessRights SendAs -Confirm:$false -ErrorAction Stop
        }
        Remove-Made 'send_as' 'The app no longer has SendAs.'
    }
}
{% endif %}

function Undo-SmtpAuth {
    # Only if it is still as the set-up left it.
    $untouched = (Get-SmtpAuth) -eq 'False'
    if ($Made -contains 'smtp_auth_was_inherited') {
        if ($untouched) { Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $null -ErrorAction Stop }
        Remove-Made 'smtp_auth_was_inherited' 'SMTP AUTH of the mailbox follows the organisation again.'
    }
    if ($Made -contains 'smtp_auth_was_off') {
        if ($untouched) { Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $true -ErrorAction Stop }
        Remove-Made 'smtp_auth_was_off' 'SMTP AUTH is off for the mailbox again.'
    }
}

function Undo-TenantSmtpAuth {
    if ($Made -contains 'tenant_smtp_auth') {
        if ((Get-TenantSmtpAuth) -eq 'False') { Set-TransportConfig -SmtpClientAuthenticationDisabled $true -ErrorAction Stop }
        Remove-Made 'tenant_smtp_auth' 'SMTP AUTH is off for the organisation again.'
    }
}

function Undo-Registration([bool]$MailboxThere) {
    if ($Made -notcontains 'service_principal') { return }
    if (-not $MailboxThere) {
        Write-Line 'KEPT' 'The app stays registered in Exchange while its mailbox cannot be read.'
        return
    }
    $apps = @(Get-AppInExchange | Where-Object { [string]$_.ObjectId -eq $ObjectId })
    if ($apps.Count) {
        $roles = @(Test-ServicePrincipalAuthorization -Identity $ObjectId -ErrorAction Stop)
        $access = @(Get-FullAccess)
        if ($roles.Count -or $access.Count) {
            Write-Line 'KEPT' 'The app stays registered in Exchange: it has other roles or permissions there.'
            return
        }
        Remove-ServicePrincipal -Identity $ObjectId -Confirm:$false -ErrorAction Stop
    }
    Remove-Made 'service_principal' 'The app is no longer registered in Exchange.'
}

if (-not (Test-Path -LiteralPath $Record)) {
    throw ('There is no {0}. The set-up wrote it, and only it tells what was made. Put it there or name it with -Record. Nothing was changed.' -f $Record)
}
Read-Record
if (-not $Made.Count) {
    Write-Host ('{0} names nothing that the set-up made. Nothing was changed.' -f $Record)
    return
}
Install-ExchangeModule
Assert-NotConnected
try {
    Connect-RightTenant
    $there = $true
    try { Get-EXOMailbox -Identity $Mailbox -ErrorAction Stop | Out-Null } catch {
        $there = $false
        Write-Line 'INFO' ('The mailbox cannot be read, so what concerns it stays noted. Exchange says: {0}' -f $_.Exception.Message)
    }
{% if rbac %}
    Undo-Role
{% else %}
    if ($there) { Undo-Permission }
{% endif %}
    if ($there) { Undo-SmtpAuth }
    Undo-TenantSmtpAuth
    Undo-Registration $there
    Write-Host ''
    if ($Made.Count) {
        Write-Host ('Left, and still noted in {0}: {1}' -f $Record, ($Made -join ', '))
    } else {
        Write-Host 'All that the set-up made is taken back. Exchange may take up to two hours to follow.'
        Write-Host 'The app in Entra is still there: remove its secret, its certificate and its permissions.'
    }
} finally {
    Disconnect-ExchangeOnline -Confirm:$false -ErrorAction SilentlyContinue
}
