# The whole way through the cmdlets alone, as the unprivileged account of the server: an encrypted repository, the module's own archive_command and restore_command.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-endtoend-').FullName
    $repository = Join-Path $folder 'repository'
    $key = Join-Path $folder 'key'
    Set-Content $key ((1..64 | ForEach-Object { '{0:x}' -f ($_ % 16) }) -join '')
    Set-Content "$folder/wrong-key" ('7' * 64)
    $null = New-Item -ItemType Directory $repository
    chmod 700 $folder
    if ([Environment]::IsPrivilegedProcess) { chown -R postgres $folder }
    $saved = $env:WALG_LIBSODIUM_KEY_PATH, $env:WALG_LIBSODIUM_KEY_TRANSFORM
    $env:WALG_LIBSODIUM_KEY_PATH = $key
    $env:WALG_LIBSODIUM_KEY_TRANSFORM = 'hex'

    # Runs PowerShell as the server's account; what it prints last is the result.
    function Invoke-AsAccount {
        param([string] $Text)
        $program = @('env', "HOME=$folder", ([Environment]::ProcessPath), '-NoProfile', '-NonInteractive', '-Command', "`$ErrorActionPreference = 'Stop'; $Text")
        Invoke-AsServerAccount $program[0] $program[1..($program.Count - 1)] | Select-Object -Last 1
    }

    # The server of a result, for Invoke-TestSql.
    function Get-Server {
        param([string] $Json)
        $result = $Json | ConvertFrom-Json
        [pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres'; DataDirectory = $result.DataDirectory; Timeline = $result.Timeline; Status = $result.Status }
    }

    function Stop-Server {
        param([psobject] $Server)
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-D', $Server.DataDirectory, '-m', 'fast', '-w'
    }

    function Wait-Archived {
        param([psobject] $Server)
        $segment = Invoke-TestSql $Server 'SELECT pg_walfile_name(pg_switch_wal())'
        for ($i = 0; -not (Test-Path "$repository/wal_005/$segment.zst"); $i++) {
            if ($i -gt 600) { throw "$segment was not archived: $(Invoke-TestSql $Server 'SELECT last_failed_wal FROM pg_stat_archiver')" }
            Start-Sleep -Milliseconds 50
        }
    }

    function Restore-Here {
        param([string] $Name, [string] $Target)
        Get-Server (Invoke-AsAccount "Restore-PgPointInTime -Repository '$repository' -DataDirectory '$folder/$Name' $Target -Start |
            Select-Object Port, DataDirectory, @{ n = 'Timeline'; e = { `$_.Timeline.Value } }, @{ n = 'Status'; e = { `"`$(`$_.Status)`" } } | ConvertTo-Json -Compress")
    }

    $cluster = Start-TestCluster -Setting @{ autovacuum = 'off' }
    $connection = "-HostName 127.0.0.1 -Port $($cluster.Port) -UserName postgres"
}

AfterAll {
    foreach ($file in Get-ChildItem "$folder/*/postmaster.pid" -ErrorAction Ignore) {
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-D', $file.DirectoryName, '-m', 'immediate', '-w'
    }
    $env:WALG_LIBSODIUM_KEY_PATH, $env:WALG_LIBSODIUM_KEY_TRANSFORM = $saved
    Stop-TestCluster $cluster
    Remove-Item -Recurse -Force $folder
}

Describe 'An encrypted repository, by an unprivileged account' {
    It 'archives and backs up' {
        Invoke-AsAccount "(Enable-PgWalArchiving $connection -Repository '$repository' -Confirm:`$false).Count" | Should -Not -BeNullOrEmpty
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
        $null = Invoke-TestSql $cluster "CREATE TABLE t (v text); INSERT INTO t VALUES ('before')"
        Invoke-AsAccount "(Backup-PgCluster $connection -Repository '$repository').Name" | Should -Match '^base_'
        $null = Invoke-TestSql $cluster "INSERT INTO t SELECT 'A'"
        $null = Invoke-TestSql $cluster "SELECT pg_create_restore_point('after A')"
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('B')"
        Wait-Archived $cluster
        foreach ($file in Get-ChildItem -Recurse -File "$repository/wal_005", "$repository/basebackups_005/*/tar_partitions" | Where-Object Name -NotLike '*.tmp.*') {
            # Neither plain nor merely compressed (zstd's magic number).
            [Convert]::ToHexString([IO.File]::ReadAllBytes($file.FullName)[0..3]) | Should -Not -Be '28B52FFD'
        }
    }

    It 'plans and restores what was there' {
        Invoke-AsAccount "(Get-PgRestorePlan -Repository '$repository' -TargetName 'after A' -DataDirectory '$folder/one').ReachedLsn.ToString()" | Should -Match '^[0-9A-F]+/[0-9A-F]+$'
        $one = Restore-Here 'one' "-TargetName 'after A'"
        $one.Status | Should -Be 'Promoted'
        Invoke-TestSql $one "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be 'A,before'
        Invoke-TestSql $one 'SHOW archive_mode' | Should -Be 'off'
        Stop-Server $one
    }

    It 'finds a wrong key at once, and names it' {
        $env:WALG_LIBSODIUM_KEY_PATH = "$folder/wrong-key"
        try {
            $watch = [Diagnostics.Stopwatch]::StartNew()
            { Restore-PgPointInTime -Repository $repository -DataDirectory "$folder/never" } |
                Should -Throw -ErrorId 'EncryptionKeyInvalid,PgBackup.PowerShell.Restores.RestorePgPointInTimeCommand'
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 1
            "$folder/never" | Should -Not -Exist
        }
        finally { $env:WALG_LIBSODIUM_KEY_PATH = $key }
    }

    It 'goes on archiving through two promotions, and reaches points of each timeline' {
        # The original is gone: its successors archive in its place.
        Stop-TestCluster $cluster -Keep
        $two = Restore-Here 'two' "-TargetName 'after A' -KeepArchiving"
        $two.Timeline | Should -Be 2
        $null = Invoke-TestSql $two "INSERT INTO t VALUES ('2')"
        $null = Invoke-TestSql $two "SELECT pg_create_restore_point('on 2')"
        $null = Invoke-TestSql $two "INSERT INTO t VALUES ('2 later')"
        Wait-Archived $two
        Stop-Server $two

        $three = Restore-Here 'three' "-TargetName 'on 2' -KeepArchiving"
        $three.Timeline | Should -Be 3
        $null = Invoke-TestSql $three "INSERT INTO t VALUES ('3')"
        $null = Invoke-TestSql $three "SELECT pg_create_restore_point('on 3')"
        $null = Invoke-TestSql $three "INSERT INTO t VALUES ('3 later')"
        Wait-Archived $three
        Invoke-TestSql $three 'SELECT failed_count FROM pg_stat_archiver' | Should -Be '0'
        Stop-Server $three

        $four = Restore-Here 'four' "-TargetName 'on 3'"
        Invoke-TestSql $four "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be '2,3,A,before'
        $four.Timeline | Should -Be 4
        Stop-Server $four
        $plan = Get-PgRestorePlan -Repository $repository
        @($plan.TimelinePath).Count | Should -Be 3
        $plan.Timeline.Value | Should -Be 3
    }
}
