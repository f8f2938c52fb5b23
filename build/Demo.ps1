# The main job on a throw-away cluster: archive, back up, damage, restore to the moment before, prove it.
# Runs in pwsh and in the small host of the tests, which has the language and the module but no Write-Output, Test-Path and their like.
param([int] $Scale = 5)

$ErrorActionPreference = 'Stop'
$asRoot = [Environment]::IsPrivilegedProcess
$folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-demo-').FullName

# When this process is gone, however it ended, the guard ends the servers and removes the folder.
$guard = @'
trap '' INT TERM HUP
while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.2; done
[ -d "$2" ] || exit 0
for pidfile in "$2"/*/postmaster.pid; do [ -f "$pidfile" ] && kill -QUIT "$(head -n 1 "$pidfile")" 2>/dev/null; done
sleep 1
rm -rf "$2"
'@

function Say([string] $Text) { [Console]::WriteLine(); [Console]::WriteLine("# $Text") }

function Run([string] $Program, [string[]] $Arguments) {
    $start = [Diagnostics.ProcessStartInfo]::new()
    $start.FileName = $Program
    foreach ($argument in $Arguments) { $start.ArgumentList.Add($argument) }
    if ($asRoot) { $start.FileName = FindProgram 'runuser'; $start.ArgumentList.Clear(); foreach ($argument in @('-u', 'postgres', '--', $Program) + $Arguments) { $start.ArgumentList.Add($argument) } }
    $start.WorkingDirectory = '/'
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $errors = $process.StandardError.ReadToEndAsync()
    $output = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    if ($process.ExitCode -ne 0) { throw "$Program ended with $($process.ExitCode): $($errors.Result)" }
    $output.TrimEnd()
}

function FindProgram([string] $Name) {
    $folders = @()
    if ([IO.Directory]::Exists('/usr/lib/postgresql')) { foreach ($version in [IO.Directory]::GetDirectories('/usr/lib/postgresql')) { $folders = @("$version/bin") + $folders } }
    foreach ($candidate in $folders + $env:PATH.Split(':') + '/usr/sbin') { if ([IO.File]::Exists("$candidate/$Name")) { return "$candidate/$Name" } }
    throw "The program '$Name' was not found."
}

function CopyTree([string] $Source, [string] $Target) {
    foreach ($file in [IO.Directory]::GetFiles($Source, '*', 'AllDirectories')) {
        $copy = [IO.Path]::Combine($Target, [IO.Path]::GetRelativePath($Source, $file))
        $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($copy))
        [IO.File]::Copy($file, $copy)
    }
}

function Query([int] $Port, [string] $Sql) { Run $psql @('-X', '-q', '-At', '-h', '127.0.0.1', '-p', "$Port", '-U', 'postgres', '-d', 'postgres', '-c', $Sql) }

# Prints a command as it would be typed, runs it, and shows what comes.
function Show([string] $Command) {
    [Console]::WriteLine()
    [Console]::WriteLine("PS> $Command")
    $result = & ([scriptblock]::Create($Command))
    $result | Out-Default
    $script:last = $result
}

try {
    $start = [Diagnostics.ProcessStartInfo]::new('/bin/sh')
    foreach ($argument in '-c', $guard, 'pgbackup-demo-guard', "$PID", $folder) { $start.ArgumentList.Add($argument) }
    $null = [Diagnostics.Process]::Start($start)
    [IO.File]::SetUnixFileMode($folder, 'UserRead, UserWrite, UserExecute, GroupRead, GroupExecute, OtherRead, OtherExecute')

    # The server's account runs the entry scripts: it must be able to read them, wherever this tree lies.
    $root = [IO.Path]::GetDirectoryName($PSScriptRoot)
    CopyTree "$root/out/module/PgBackup" "$folder/module/PgBackup"
    if ($env:PGBACKUP_POWERSHELL -and $env:PGBACKUP_POWERSHELL.StartsWith("$root/")) {
        CopyTree ([IO.Path]::GetDirectoryName($env:PGBACKUP_POWERSHELL)) "$folder/host"
        $env:PGBACKUP_POWERSHELL = "$folder/host/" + [IO.Path]::GetFileName($env:PGBACKUP_POWERSHELL)
    }
    Import-Module "$folder/module/PgBackup/PgBackup.psd1"
    if ($asRoot) { & (FindProgram 'chown') 'postgres:' $folder }

    $psql = FindProgram 'psql'
    $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $listener.Start()
    $port = $listener.LocalEndpoint.Port
    $listener.Stop()

    Say "A cluster with data (pgbench, scale $Scale) on port $port"
    $null = Run (FindProgram 'initdb') @('-D', "$folder/data", '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--data-checksums', '--no-sync')
    [IO.File]::AppendAllText("$folder/data/postgresql.conf", "port = $port`nlisten_addresses = '127.0.0.1'`nunix_socket_directories = ''`nfsync = off`n")
    $null = Run (FindProgram 'pg_ctl') @('-D', "$folder/data", '-l', "$folder/server.log", '-w', 'start')
    $null = Run (FindProgram 'pgbench') @('-h', '127.0.0.1', '-p', "$port", '-U', 'postgres', '-i', '-q', '-s', "$Scale", 'postgres')
    $null = Run 'mkdir' @("$folder/repository")
    $env:PGHOST = '127.0.0.1'; $env:PGPORT = "$port"; $env:PGUSER = 'postgres'; $env:WALG_FILE_PREFIX = "$folder/repository"

    Show 'Enable-PgWalArchiving -ArchiveTimeout 60s -WarningAction Ignore'
    $null = Run (FindProgram 'pg_ctl') @('-D', "$folder/data", '-l', "$folder/server.log", '-w', 'restart')
    Show 'Backup-PgCluster'
    Show 'Get-PgBackup'

    Say 'Work goes on'
    $null = Run (FindProgram 'pgbench') @('-h', '127.0.0.1', '-p', "$port", '-U', 'postgres', '-n', '-c', '2', '-T', '3', 'postgres')
    $balance = Query $port 'SELECT count(*), sum(abalance) FROM pgbench_accounts'
    $noted = Query $port 'SELECT clock_timestamp()'
    [Console]::WriteLine("It is $noted; pgbench_accounts holds (rows|sum of balances): $balance")

    Say 'Then somebody makes a mistake'
    [Threading.Thread]::Sleep(1000)
    $null = Query $port 'CREATE TABLE made_later (a int)'
    $null = Query $port 'DROP TABLE pgbench_accounts'
    [Console]::WriteLine('DROP TABLE pgbench_accounts')
    $target = Query $port 'SELECT pg_walfile_name(pg_switch_wal())'
    for ($i = 0; $i -lt 600 -and -not [IO.File]::Exists("$folder/repository/wal_005/$target.zst"); $i++) { [Threading.Thread]::Sleep(100) }

    Show 'Get-PgRecoveryWindow'
    Show "Get-PgRestorePlan -TargetTime '$noted'"
    Show "Restore-PgPointInTime -TargetTime '$noted' -DataDirectory '$folder/restored' -Start"

    Say 'The proof'
    $restored = $last.Port
    $found = Query $restored 'SELECT count(*), sum(abalance) FROM pgbench_accounts'
    $later = Query $restored "SELECT to_regclass('made_later') IS NOT NULL"
    [Console]::WriteLine("pgbench_accounts is back: $found")
    [Console]::WriteLine("made_later exists in the restored cluster: $later")
    if ($found -ne $balance) { throw "The restored table holds $found, but held $balance at the noted time." }
    if ($later -ne 'f') { throw 'The restored cluster holds a table that was made after the noted time.' }
    [Console]::WriteLine()
    [Console]::WriteLine("Restored to $noted, beside the running cluster, and proven.")
}
finally {
    foreach ($data in "$folder/restored", "$folder/data") {
        if ([IO.File]::Exists("$data/postmaster.pid")) { try { $null = Run (FindProgram 'pg_ctl') @('-D', $data, '-m', 'immediate', '-w', 'stop') } catch { [Console]::Error.WriteLine($_) } }
    }
    if ([IO.Directory]::Exists($folder)) { [IO.Directory]::Delete($folder, $true) }
}
