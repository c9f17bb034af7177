if (-not $Record) {
    $folder = (Get-Location).Path
    if ($PSScriptRoot) { $folder = $PSScriptRoot }
    $Record = Join-Path $folder $RecordName
}
$Made = @()

function Read-Record {
    $noted = Get-Content -LiteralPath $Record -Raw -Encoding UTF8 -ErrorAction Stop | ConvertFrom-Json
    $same = ($noted.directory_id -eq $DirectoryId) -and ($noted.client_id -eq $ClientId) -and
        ($noted.object_id -eq $ObjectId) -and ($noted.mailbox -eq $Mailbox) -and
        ($noted.model -eq $Model)
    if (-not $same) {
        throw ('{0} is about another app, mailbox or directory. Move it away or name another file with -Record. Nothing was changed.' -f $Record)
    }
    $script:Made = @($noted.made | Where-Object { $_ })
}

function Save-Record {
    [ordered]@{
        lapsewatch = 'exchange-record'
        version = 1
        directory_id = $DirectoryId
        client_id = $ClientId
        object_id = $ObjectId
        mailbox = $Mailbox
        model = $Model
        made = @($Made)
    } | ConvertTo-Json | Set-Content -LiteralPath $Record -Encoding UTF8 -ErrorAction Stop
}
