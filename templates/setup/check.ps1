#Requires -Version 5.1
<#
.SYNOPSIS
Reads whether one app may send as one mailbox of Exchange Online. Changes nothing there.
.DESCRIPTION
Made by Lapsewatch. Save it to a file and run it as an administrator who may read Exchange. It asks
you to sign in, checks that this is the right directory, prints [OK] or [FAIL] for each point, and
one line of JSON with the same. The module ExchangeOnlineManagement is installed for your account
if it is missing. It holds no secret.
#>
[CmdletBinding()]
param(
{% include "_parameters.ps1" %}
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 1.0

{% include "_values.ps1" %}

{% include "_connect.ps1" %}

{% include "_read.ps1" %}

{% include "_checks.ps1" %}

Install-ExchangeModule
Assert-NotConnected
try {
    Connect-RightTenant
    Test-Everything
    Write-TenantSwitch
    Write-Result
} finally {
    Disconnect-ExchangeOnline -Confirm:$false -ErrorAction SilentlyContinue
}
