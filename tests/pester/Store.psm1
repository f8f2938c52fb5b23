# Throw-away S3 servers for the runbooks: the same ones that the xunit tests start.
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$program = Join-Path $PSScriptRoot '../servers/PgBackup.TestServers/bin/Release/net10.0/PgBackup.TestServers.dll'

function Start-TestStore {
    <#
    .SYNOPSIS
    Starts a server with an empty bucket. It ends with Stop-TestStore, or when this process does.
    #>
    param([ValidateSet('ceph-current', 'ceph-16', 'swift')] [string] $Kind = 'ceph-current', [string] $Bucket = 'backups', [int] $Delay)
    if (-not (Test-Path -LiteralPath $program)) { throw "'$program' is not built. './build.sh Test' builds it." }
    $start = [Diagnostics.ProcessStartInfo]::new('dotnet')
    foreach ($argument in $program, 'run', $Kind, '--bucket', $Bucket) { $start.ArgumentList.Add($argument) }
    if ($Delay) { foreach ($argument in '--delay', "$Delay") { $start.ArgumentList.Add($argument) } }
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    $line = $process.StandardOutput.ReadLine()
    if (-not $line) { throw "The server '$Kind' did not start." }
    $facts = $line | ConvertFrom-Json
    $facts | Add-Member Process $process
    $facts | Add-Member Credential ([pscredential]::new($facts.accessKey, (ConvertTo-SecureString $facts.secretKey -AsPlainText -Force)))
    $facts
}

function Stop-TestStore {
    <#
    .SYNOPSIS
    Ends a server, with all that it holds.
    #>
    param([Parameter(Mandatory)] [psobject] $Store)
    $Store.Process.StandardInput.Close()
    $Store.Process.WaitForExit()
}

Export-ModuleMember -Function Start-TestStore, Stop-TestStore
