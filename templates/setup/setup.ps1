#Requires -Version 5.1
<#
.SYNOPSIS
Lets one app send as one mailbox of Exchange Online, by SMTP with OAuth.
.DESCRIPTION
Made by Lapsewatch. Save it to a file, and run it as an Exchange Administrator
{% if rbac %}
who is in the role group Organization Management.
{% else %}
or a Global Administrator.
{% endif %}
It asks you to sign in, checks that this is the right directory, and then:
1. registers the app's service principal in Exchange,
{% if rbac %}
2. gives it the role "Application SMTP.SendAsApp" for this one mailbox. Do not grant the permission
   SMTP.SendAsApp in Entra as well: Exchange would then ask for a mailbox permission too,
{% else %}
2. gives it FullAccess to the mailbox, without automapping. The app needs the application permission
   SMTP.SendAsApp in Entra, with admin consent,
{% endif %}
3. switches SMTP AUTH on for this one mailbox.
It can be run again: what is there already stays as it is. What it made is noted in a file beside
the script, for the undo. It holds no secret.
#>
[CmdletBinding()]
param(
    # Where to note what was made. Without it: a file beside this script.
    [string]$Record = '',
{% if rbac %}
    # Exchange allows no management scope before this was done once. It cannot be undone.
    [switch]$EnableOrganizationCustomization,
{% else %}
    # Only for mail whose From is not the mailbox itself. Lapsewatch does not need it.
    [switch]$GrantSendAs,
{% endif %}
    # Also switch SMTP AUTH on for the whole organisation. The mailbox does not need it.
    [switch]$EnableTenantSmtpAuth,
{% include "_parameters.ps1" %}
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 1.0

{% include "_values.ps1" %}
$Changes = 0

{% include "_connect.ps1" %}

{% include "_read.ps1" %}

{% include "_checks.ps1" %}

{% include "_record.ps1" %}

function Add-Made([string]$What, [string]$Text) {
    $script:Changes += 1
    if ($Made -notcontains $What) { $script:Made = @($Made) + @($What) }
    Save-Record
    Write-Line 'DONE' $Text
}

function Invoke-Patiently([scriptblock]$Action) {
    # What was made a moment ago is not known on every server of Exchange yet.
    for ($attempt = 1; $attempt -le 6; $attempt++) {
        try { return (& $Action) } catch {
            if ($attempt -eq 6) { throw }
            Write-Line 'WAIT' ('Again in 15 seconds. Exchange says: {0}' -f $_.Exception.Message)
            Start-Sleep -Seconds 15
        }
    }
}

function Register-App {
    # Gives back what permissions call the app.
    $apps = @(Get-AppInExchange)
    $wrong = @($apps | Where-Object { [string]$_.ObjectId -ne $ObjectId })
    if ($wrong.Count) {
        throw ('Exchange knows this app by the object ID {0}, but this script has {1}. Compare with Entra, Enterprise applications, Object ID. If this script is right: Remove-ServicePrincipal -Identity {0}, and start again. If not: correct it in Lapsewatch. Nothing was changed.' -f $wrong[0].ObjectId, $ObjectId)
    }
    if ($apps.Count) {
        Write-Line 'SAME' 'The app is registered in Exchange.'
        return [string]$apps[0].Identity
    }
    $new = New-ServicePrincipal -AppId $ClientId -ObjectId $ObjectId -DisplayName $DisplayName -ErrorAction Stop
    Add-Made 'service_principal' 'Registered the app in Exchange.'
    [string]$new.Identity
}
{% if rbac %}

function Add-Role {
    $may = $false
    try { $may = Test-MaySend } catch {
        Write-Line 'INFO' ('Its roles cannot be read yet. Exchange says: {0}' -f $_.Exception.Message)
    }
    if ($may) {
        Write-Line 'SAME' 'The app has the role for this mailbox.'
        return
    }
    $known = @(Get-ManagementRole -ErrorAction Stop | Where-Object { [string]$_.Name -eq $RoleName })
    if (-not $known.Count) {
        throw ('Exchange offers no role {0} here. Use the other model: lapsewatch tenant script "{1}" --model mailbox' -f $RoleName, $TenantName)
    }
    if (@(Get-OwnScope).Count) {
        Write-Line 'SAME' 'The management scope is there.'
    } else {
        if ([string](Get-OrganizationConfig -ErrorAction Stop).IsDehydrated -eq 'True') {
            if (-not $EnableOrganizationCustomization) {
                throw 'This organisation was never customised, so it takes no management scope. That is switched on once, for good, and takes up to an hour: start again with -EnableOrganizationCustomization.'
            }
            Enable-OrganizationCustomization -ErrorAction Stop
            $script:Changes += 1
            Write-Line 'DONE' 'Allowed customisation of the organisation. If the next step fails, start again in an hour.'
        }
        New-ManagementScope -Name $ScopeName -RecipientRestrictionFilter $ScopeFilter -ErrorAction Stop | Out-Null
        Add-Made 'scope' 'Made a management scope with this one mailbox.'
    }
    if (@(Get-OwnAssignment).Count) {
        Write-Line 'SAME' 'The role is assigned.'
    } else {
        Invoke-Patiently {
            New-ManagementRoleAssignment -Name $ScopeName -Role $RoleName -App $ObjectId -CustomResourceScope $ScopeName -ErrorAction Stop | Out-Null
        }
        Add-Made 'assignment' 'Gave the app the role for this mailbox.'
    }
}
{% else %}

function Add-FullAccess([string]$Trustee) {
    if (@(Get-FullAccess).Count) {
        Write-Line 'SAME' 'The app has FullAccess to the mailbox.'
        return
    }
    # A warning instead of an error means that the permission was there under another name.
    $warned = @(Invoke-Patiently {
        Add-MailboxPermission -Identity $Mailbox -User $Trustee -AccessRights FullAccess -AutoMapping $false -ErrorAction Stop -WarningAction SilentlyContinue -WarningVariable words | Out-Null
        $words
    })
    if ($warned.Count) {
        Write-Line 'SAME' ('The permission was there. Exchange says: {0}' -f $warned[0])
    } else {
        Add-Made 'full_access' 'Gave the app FullAccess to the mailbox.'
    }
}

function Add-SendAs([string]$Trustee) {
    if (@(Get-SendAs).Count) {
        Write-Line 'SAME' 'The app may send as the mailbox.'
        return
    }
    Invoke-Patiently {
        Add-RecipientPermission -Identity $Mailbox -Trustee $Trustee -AccessRights SendAs -Confirm:$false -ErrorAction Stop | Out-Null
    }
    Add-Made 'send_as' 'Gave the app SendAs on the mailbox.'
}
{% endif %}

function Enable-SmtpAuth {
    $off = Get-SmtpAuth
    if ($off -eq 'False') {
        Write-Line 'SAME' 'SMTP AUTH is on for the mailbox.'
        return
    }
    Set-CASMailbox -Identity $Mailbox -SmtpClientAuthenticationDisabled $false -ErrorAction Stop
    $before = 'smtp_auth_was_inherited'
    if ($off -eq 'True') { $before = 'smtp_auth_was_off' }
    # The first one tells what there was before Lapsewatch.
    $first = @($Made | Where-Object { $_ -like 'smtp_auth_was_*' })
    if ($first.Count) { $before = $first[0] }
    Add-Made $before 'Switched SMTP AUTH on for the mailbox.'
}

function Enable-TenantSmtpAuth {
    if ((Get-TenantSmtpAuth) -ne 'True') {
        Write-Line 'SAME' 'SMTP AUTH is on for the organisation.'
        return
    }
    Set-TransportConfig -SmtpClientAuthenticationDisabled $false -ErrorAction Stop
    Add-Made 'tenant_smtp_auth' 'Switched SMTP AUTH on for the organisation.'
}

Install-ExchangeModule
Assert-NotConnected
if (Test-Path -LiteralPath $Record) { Read-Record }
try {
    Connect-RightTenant
    Assert-GoodMailbox | Out-Null
    # Before anything is made it must be certain that it can be noted.
    Save-Record
{% if rbac %}
    Register-App | Out-Null
    Add-Role
{% else %}
    $trustee = Register-App
    if (-not $trustee) { $trustee = $ObjectId }
    Add-FullAccess $trustee
    if ($GrantSendAs) { Add-SendAs $trustee }
{% endif %}
    Enable-SmtpAuth
    if ($EnableTenantSmtpAuth) { Enable-TenantSmtpAuth }
    Write-Host ''
    if ($Changes) {
        Write-Host ('{0} changes were made. They are noted in {1}' -f $Changes, $Record)
    } else {
        Write-Host 'Everything was there already. Nothing was changed.'
    }
    Write-Host ''
    Test-Everything
    Write-TenantSwitch
    Write-Delay
    Write-Result
} finally {
    Disconnect-ExchangeOnline -Confirm:$false -ErrorAction SilentlyContinue
}
