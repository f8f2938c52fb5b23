# Throw-away PostgreSQL clusters for the runbooks, run by the account "postgres" when the runbooks run as root.
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# When the runbooks' process is gone, however it ended, this ends the server and removes its folder.
$guard = @'
trap '' INT TERM HUP
while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
[ -d "$2" ] || exit 0
pid=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null)
segment=$(sed -n 7p "$2/data/postmaster.pid" 2>/dev/null | awk '{ print $2 }')
[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
sleep 0.5
[ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
rm -rf "$2"
'@

function Get-ServerProgram {
    param([Parameter(Mandatory)] [string] $Name)
    $folders = @(Get-ChildItem /usr/lib/postgresql/*/bin -Directory -ErrorAction Ignore | Sort-Object { [int] $_.Parent.Name } -Descending | ForEach-Object FullName)
    $folders += $env:PATH -split [IO.Path]::PathSeparator
    $found = $folders | ForEach-Object { Join-Path $_ $Name } | Where-Object { Test-Path -LiteralPath $_ -PathType Leaf } | Select-Object -First 1
    if (-not $found) { throw "The program '$Name' of PostgreSQL was not found. Install the packages postgresql and postgresql-contrib." }
    $found
}

function Invoke-AsServerAccount {
    param([Parameter(Mandatory)] [string] $Program, [string[]] $Argument)
    # In "/": the account may not be able to enter our folder.
    Push-Location /
    try {
        $output = if ([Environment]::IsPrivilegedProcess) { runuser -u postgres -- $Program @Argument 2>&1 } else { & $Program @Argument 2>&1 }
        if ($LASTEXITCODE -ne 0) { throw "'$Program $Argument' ended with ${LASTEXITCODE}: $($output -join "`n")" }
        $output | ForEach-Object { "$_" }
    }
    finally { Pop-Location }
}

function New-TestRepository {
    <#
    .SYNOPSIS
    Makes a temporary folder that the server's account may enter, with an empty repository in it, and returns the folder.
    #>
    param([Parameter(Mandatory)] [string] $Name)
    $folder = [IO.Directory]::CreateTempSubdirectory("pgbackup-$Name-").FullName
    $null = New-Item -ItemType Directory (Join-Path $folder 'repository/wal_005')
    if ([Environment]::IsPrivilegedProcess) { chown -R postgres $folder }
    chmod 755 $folder
    $folder
}

function Start-TestCluster {
    <#
    .SYNOPSIS
    Makes a cluster in a temporary folder and starts it; with -ArchiveTo it archives into a repository. The result binds by property name to the module's connection parameters.
    #>
    param([hashtable] $Setting = @{}, [string] $ArchiveTo)
    if ($ArchiveTo) {
        $wal = Join-Path $ArchiveTo 'wal_005'
        $Setting = @{ archive_mode = 'on'; archive_command = "cp '%p' '$wal/.%f' && mv '$wal/.%f' '$wal/%f'" } + $Setting
    }
    $folder = [IO.Directory]::CreateTempSubdirectory('pgb-').FullName
    if ([Environment]::IsPrivilegedProcess) { chown postgres: $folder }
    chmod 755 $folder
    $null = [Diagnostics.Process]::Start('/bin/sh', [string[]] @('-c', $guard, 'pgbackup-runbook-guard', $PID, $folder))
    $data = Join-Path $folder 'data'
    $null = Invoke-AsServerAccount (Get-ServerProgram initdb) '-D', $data, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--data-checksums'
    $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $listener.Start()
    $port = $listener.LocalEndpoint.Port
    $listener.Stop()
    $all = @{ listen_addresses = '127.0.0.1'; port = "$port"; unix_socket_directories = $folder; fsync = 'off'; shared_buffers = '32MB' } + $Setting
    $lines = foreach ($name in $all.Keys) { "$name = '$("$($all[$name])" -replace "'", "''")'" }
    Add-Content -LiteralPath (Join-Path $data 'postgresql.conf') -Value $lines
    $cluster = [pscustomobject] @{
        PSTypeName = 'PgBackup.Tests.Cluster'
        HostName = '127.0.0.1'; Port = $port; UserName = 'postgres'; Folder = $folder; DataDirectory = $data; LogFile = Join-Path $folder 'server.log'
    }
    Resume-TestCluster $cluster
    $cluster
}

function Resume-TestCluster {
    <#
    .SYNOPSIS
    Starts a cluster that was stopped.
    #>
    param([Parameter(Mandatory)] [psobject] $Cluster)
    try { $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'start', '-w', '-D', $Cluster.DataDirectory, '-l', $Cluster.LogFile }
    catch { throw "$_`n$(Get-Content -LiteralPath $Cluster.LogFile -Raw -ErrorAction Ignore)" }
}

function Stop-TestCluster {
    <#
    .SYNOPSIS
    Stops a cluster and removes it; with -Keep its files stay.
    #>
    param([Parameter(Mandatory)] [psobject] $Cluster, [ValidateSet('fast', 'immediate')] [string] $Mode = 'fast', [switch] $Keep)
    if (Test-Path -LiteralPath (Join-Path $Cluster.DataDirectory 'postmaster.pid')) {
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-w', '-D', $Cluster.DataDirectory, '-m', $Mode
    }
    if (-not $Keep) { Remove-Item -LiteralPath $Cluster.Folder -Recurse -Force }
}

function Invoke-TestSql {
    <#
    .SYNOPSIS
    Runs statements as superuser and returns the rows, one string each, columns separated by "|".
    #>
    param([Parameter(Mandatory)] [psobject] $Cluster, [Parameter(Mandatory)] [string] $Sql, [string] $Database = 'postgres')
    $arguments = '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', $Cluster.HostName, '-p', "$($Cluster.Port)", '-U', 'postgres', '-d', $Database, '-c', $Sql
    Invoke-AsServerAccount (Get-ServerProgram psql) $arguments
}

function Complete-TestSegment {
    <#
    .SYNOPSIS
    Ends the WAL segment and waits until it is archived.
    #>
    param([Parameter(Mandatory)] [psobject] $Cluster, [Parameter(Mandatory)] [string] $Repository)
    $segment = Invoke-TestSql $Cluster 'SELECT pg_walfile_name(pg_switch_wal())'
    for ($i = 0; -not (Test-Path -LiteralPath (Join-Path $Repository "wal_005/$segment")); $i++) {
        if ($i -ge 600) { throw "The segment $segment was not archived within 30 s.`n$(Get-Content -LiteralPath $Cluster.LogFile -Raw -ErrorAction Ignore)" }
        Start-Sleep -Milliseconds 50
    }
}

Export-ModuleMember -Function New-TestRepository, Complete-TestSegment, Start-TestCluster, Resume-TestCluster, Stop-TestCluster, Invoke-TestSql, Get-ServerProgram, Invoke-AsServerAccount
