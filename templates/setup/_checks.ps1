$Checks = @()

function Test-One([string]$Name, [string]$Fix, [scriptblock]$Read) {
    # $Read says what it found, and throws if that is not as it must be.
    $ok = $true
    try { $found = [string](& $Read) } catch { $ok = $false; $found = $_.Exception.Message }
    $script:Checks += [pscustomobject]@{ check = $Name; ok = $ok; found = $found }
    if ($ok) {
        Write-Line 'OK' ('{0}: {1}' -f $Name, $found)
    } else {
        Write-Line 'FAIL' ('{0}: {1}' -f $Name, $found)
        Write-Host ('        Fix: {0}' -f $Fix)
    }
}

function Test-Everything {
    Test-One 'mailbox' 'Create the mailbox, or correct its address in Lapsewatch.' { Assert-GoodMailbox }
    Test-One 'service_principal' 'Run the set-up script. If another object ID is registered, remove it first.' {
        $apps = @(Get-AppInExchange)
        if (-not $apps.Count) { throw 'Exchange does not know the app.' }
        $wrong = @($apps | Where-Object { [string]$_.ObjectId -ne $ObjectId })
        if ($wrong.Count) {
            throw ('Registered with the object ID {0} instead of {1}, the one under Enterprise applications.' -f $wrong[0].ObjectId, $ObjectId)
        }
        'registered with the object ID {0}' -f $ObjectId
    }
{% if rbac %}
    Test-One 'role' 'Run the set-up script. A new role takes up to two hours to be felt.' {
        if (-not (Test-MaySend)) { throw ('The app does not have the role {0} for this mailbox.' -f $RoleName) }
        '{0}, and the mailbox is in its scope' -f $RoleName
    }
{% else %}
    Test-One 'full_access' 'Run the set-up script. A new permission takes up to an hour to be felt.' {
        if (-not @(Get-FullAccess).Count) { throw 'The app has no FullAccess to the mailbox.' }
        'the app has FullAccess to the mailbox'
    }
{% endif %}
    Test-One 'smtp_auth' 'Run the set-up script.' {
        $off = Get-SmtpAuth
        if ($off -eq 'True') { throw 'SMTP AUTH is switched off for this mailbox.' }
        if ($off -ne 'False') {
            if ((Get-TenantSmtpAuth) -eq 'True') { throw 'The mailbox follows the organisation, where SMTP AUTH is off.' }
            throw 'The mailbox follows the organisation, where SMTP AUTH is on today. Switch it on for the mailbox itself.'
        }
        'switched on for this mailbox'
    }
}

function Write-Result {
    $bad = @($Checks | Where-Object { -not $_.ok })
    $result = [ordered]@{
        lapsewatch = 'exchange-check'
        version = 1
        tenant = $TenantName
        directory_id = $DirectoryId
        client_id = $ClientId
        object_id = $ObjectId
        mailbox = $Mailbox
        model = $Model
        ok = ($bad.Count -eq 0)
        checks = @($Checks)
    }
    Write-Host ''
    Write-Host 'The result as one line, to paste back:'
    Write-Output ($result | ConvertTo-Json -Compress -Depth 4)
}

function Write-TenantSwitch {
    if ((Get-TenantSmtpAuth) -eq 'True') {
        Write-Line 'INFO' 'SMTP AUTH is off for the organisation. That is a good default: the setting of the mailbox goes before it.'
    } else {
        Write-Line 'INFO' 'SMTP AUTH is on for the whole organisation. This mailbox does not need that.'
    }
}

function Write-Delay {
    Write-Host ''
    Write-Host 'Exchange takes time. Until then sign-in may end in 535 5.7.3 or 535 5.7.139:'
    Write-Host '  SMTP AUTH switch: mostly 15 minutes, up to 24 hours'
{% if rbac %}
    Write-Host '  role: 30 minutes to 2 hours'
{% else %}
    Write-Host '  mailbox permission: up to 1 hour'
{% endif %}
{% if operator %}
    Write-Host 'Then prove it: lapsewatch run canary'
{% else %}
    Write-Host ('Then prove it: lapsewatch run canary --tenant {0}' -f $TenantName)
{% endif %}
}
