function Write-Line([string]$State, [string]$Text) {
    Write-Host ('{0,-7} {1}' -f ('[' + $State + ']'), $Text)
}

function Install-ExchangeModule {
    $there = @(Get-Module -ListAvailable -Name ExchangeOnlineManagement |
        Where-Object { $_.Version -ge [version]'3.0.0' })
    if (-not $there.Count) {
        Write-Line 'DO' 'Installing the module ExchangeOnlineManagement for your account.'
        $choice = @{
            Name = 'ExchangeOnlineManagement'
            Scope = 'CurrentUser'
            MinimumVersion = '3.0.0'
            AllowClobber = $true
            Force = $true
            ErrorAction = 'Stop'
        }
        # The newest versions of the module need a newer PowerShell 7; Windows PowerShell takes any.
        $shell = 100 * $PSVersionTable.PSVersion.Major + $PSVersionTable.PSVersion.Minor
        if (($shell -ge 600) -and ($shell -lt 704)) {
            $choice.MaximumVersion = '3.4.99'
        } elseif (($shell -ge 600) -and ($shell -lt 706)) {
            $choice.MaximumVersion = '3.9.99'
        }
        # Windows PowerShell on an older system would still offer TLS 1.0 only.
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        Install-Module @choice
    }
    Import-Module ExchangeOnlineManagement -MinimumVersion 3.0.0 -ErrorAction Stop
}

function Assert-NotConnected {
    # With two connections it would not be clear which of them a command goes to.
    if (@(Get-ConnectionInformation -ErrorAction Stop).Count) {
        throw 'This window is already connected. Run Disconnect-ExchangeOnline or open a new window, and start the script again. Nothing was changed.'
    }
}

function Connect-RightTenant {
    $how = @{ ShowBanner = $false; ErrorAction = 'Stop' }
    if ($UserPrincipalName) { $how.UserPrincipalName = $UserPrincipalName }
    if ($ExchangeEnvironment) { $how.ExchangeEnvironmentName = $ExchangeEnvironment }
    if ($AsPartner) { $how.DelegatedOrganization = $DirectoryId }
    if ($DisableWAM) { $how.DisableWAM = $true }
    Connect-ExchangeOnline @how
    $connection = @(Get-ConnectionInformation -ErrorAction Stop)[0]
    $right = [string]$connection.TenantID -eq $DirectoryId
    if ($AsPartner -and ([string]$connection.DelegatedOrganization -eq $DirectoryId)) {
        $right = $true
    }
    if (-not $right) {
        throw ('You signed in to the directory {0}, but the mailbox is in the directory {1}. Start again with an account of that directory. Nothing was changed.' -f $connection.TenantID, $DirectoryId)
    }
    Write-Line 'OK' ('Connected to the directory {0}.' -f $DirectoryId)
}
