BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $scripts = Join-Path (Get-Module PgBackup).ModuleBase 'scripts'

    # The first page of PostgreSQL 15's segment 3 of timeline 1 (xlog_internal.h), then noise.
    function New-Segment {
        param([string] $Path, [int] $Megabytes = 1, [int] $Seed = 1)
        $bytes = [byte[]]::new($Megabytes * 1MB)
        [Random]::new($Seed).NextBytes($bytes)
        $header = [BitConverter]::GetBytes([uint16] 0xD110) + [BitConverter]::GetBytes([uint16] 2) + [BitConverter]::GetBytes([uint32] 1) +
            [BitConverter]::GetBytes([uint64] (3 * $bytes.Length)) + [byte[]]::new(8) + [BitConverter]::GetBytes([uint64] 7300000000000000001) +
            [BitConverter]::GetBytes([uint32] $bytes.Length) + [BitConverter]::GetBytes([uint32] 8192)
        [Array]::Copy([byte[]] $header, $bytes, 40)
        $null = New-Item -ItemType Directory -Force (Split-Path $Path)
        [IO.File]::WriteAllBytes($Path, $bytes)
    }

    # Ends with the exit code; the streams come as text.
    function Invoke-Child {
        param([string[]] $Argument, [string] $Folder = $TestDrive)
        $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath, [string[]] (@('-NoProfile', '-NonInteractive') + $Argument))
        $start.WorkingDirectory = $Folder
        $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        $process = [Diagnostics.Process]::Start($start)
        $errors = $process.StandardError.ReadToEndAsync()
        $output = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        [pscustomobject] @{ Code = $process.ExitCode; Output = $output; Error = $errors.Result }
    }

    $name = '000000010000000000000003'
}

Describe 'Push-PgWal and Restore-PgWal' {
    BeforeAll {
        $repository = Join-Path $TestDrive 'repository'
        $segment = Join-Path $TestDrive "pg_wal/$name"
        New-Segment $segment
    }

    It 'stores a file, succeeds again, and gives it back' {
        $first = Push-PgWal $segment -Repository $repository
        $first.Status | Should -Be 'Stored'
        $first.Name | Should -Be $name
        $first.Size.Bytes | Should -Be 1MB
        (Get-Item $segment | Push-PgWal -Repository $repository).Status | Should -Be 'AlreadyStored'
        (Push-PgWal (Join-Path $TestDrive 'pg_wal/0000*') -Repository $repository).Status | Should -Be 'AlreadyStored'
        $fetched = Restore-PgWal $name (Join-Path $TestDrive 'RECOVERYXLOG') -Repository $repository
        $fetched.Destination | Should -Be (Join-Path $TestDrive 'RECOVERYXLOG')
        (Get-FileHash $fetched.Destination).Hash | Should -Be (Get-FileHash $segment).Hash
    }

    It 'prints tables that fit' {
        $text = Push-PgWal $segment -Repository $repository | Out-String -Width 80
        $text | Should -Match "$name\s+AlreadyStored\s+1\.00 MB"
    }

    It 'refuses other content with its own error id' {
        New-Segment (Join-Path $TestDrive "other/$name") -Seed 2
        { Push-PgWal (Join-Path $TestDrive "other/$name") -Repository $repository } | Should -Throw -ErrorId 'WalContentConflict,*'
        { Push-PgWal (Join-Path $TestDrive 'none*') -Repository $repository } | Should -Throw -ErrorId 'NoFilesMatch,*'
        { Restore-PgWal 'nonsense' $TestDrive -Repository $repository } | Should -Throw -ErrorId 'WalFileNameInvalid,*'
    }

    It 'ends a process with <Code> after <Script>, by -File and by -Command' -ForEach @(
        @{ Code = 0; Script = 'Push-PgWal pg_wal/000000010000000000000003 -Repository repository' }
        @{ Code = 1; Script = 'Push-PgWal other/000000010000000000000003 -Repository repository' }
        @{ Code = 2; Script = 'Push-PgWal other/wrong -Repository repository' }
        @{ Code = 10; Script = 'Push-PgWal pg_wal/000000010000000000000003 -Repository no/where' }
        @{ Code = 0; Script = 'Restore-PgWal 000000010000000000000003 out -Repository repository' }
        @{ Code = 1; Script = 'Restore-PgWal 000000010000000000000009 out -Repository repository' }
        @{ Code = 126; Script = 'Restore-PgWal wrong out -Repository repository' }
        @{ Code = 126; Script = 'Restore-PgWal 000000010000000000000003 no/folder/out -Repository repository' }
    ) {
        $file = Join-Path $TestDrive 'run.ps1'
        Set-Content $file $Script
        (Invoke-Child -Argument '-File', $file).Code | Should -Be $Code
        (Invoke-Child -Argument '-Command', "$Script; `$null = 1").Code | Should -Be $Code
    }

    It 'tries faults that may pass again, then ends with 126, on a standby with 1' {
        $away = Join-Path $TestDrive 'standby'
        $null = New-Item -ItemType Directory $away
        $arguments = '-Command', "Restore-PgWal $name out -Repository gone"
        (Invoke-Child -Argument $arguments -Folder $away).Code | Should -Be 126
        $null = New-Item (Join-Path $away 'standby.signal')
        (Invoke-Child -Argument $arguments -Folder $away).Code | Should -Be 1
    }
}

Describe 'The entry scripts' {
    BeforeAll {
        $repository = Join-Path $TestDrive "it's a repository 100%"
        New-Segment (Join-Path $TestDrive "pg_wal/$name")
        New-Segment (Join-Path $TestDrive "other/$name") -Seed 2
        $archive = '-File', (Join-Path $scripts 'pgbackup-archive.ps1')
        $restore = '-File', (Join-Path $scripts 'pgbackup-restore-wal.ps1')
    }

    It 'archive: 0 when stored, 0 again, and one line with a hint for other content' {
        (Invoke-Child ($archive + "pg_wal/$name", '-Repository', $repository)).Code | Should -Be 0
        $again = Invoke-Child ($archive + "pg_wal/$name", '-Repository', $repository)
        $again.Code, $again.Output, $again.Error | Should -Be 0, '', ''
        $conflict = Invoke-Child ($archive + "other/$name", '-Repository', $repository)
        $conflict.Code | Should -Be 1
        @($conflict.Error.TrimEnd() -split "`n") | Should -HaveCount 1
        $conflict.Error | Should -Match '^pgbackup-archive: .* Hint: '
    }

    It 'archive: refuses to store in plain text where a key is required' {
        (Invoke-Child ($archive + "pg_wal/$name", '-Repository', $repository, '-RequireKey')).Code | Should -Be 12
    }

    It 'both: work with a key file' {
        $key = Join-Path $TestDrive 'key'
        Set-Content $key ('0123456789abcdef' * 4)
        $encrypted = '-Repository', (Join-Path $TestDrive 'encrypted'), '-KeyPath', $key, '-KeyTransform', 'hex'
        (Invoke-Child ($archive + "pg_wal/$name" + $encrypted)).Code | Should -Be 0
        (Invoke-Child ($restore + $name + 'plain' + $encrypted)).Code | Should -Be 0
        (Get-FileHash (Join-Path $TestDrive 'plain')).Hash | Should -Be (Get-FileHash (Join-Path $TestDrive "pg_wal/$name")).Hash
        Set-Content $key ('fedcba9876543210' * 4)
        (Invoke-Child ($restore + $name + 'plain2' + $encrypted)).Code | Should -Be 126
        (Invoke-Child ($archive + "pg_wal/$name" + $encrypted)).Code | Should -Be 12
    }

    It 'restore: 0, 74 when it is not there, 126 when it is damaged, and leaves nothing half' {
        (Invoke-Child ($restore + $name + 'RECOVERYXLOG' + '-Repository' + $repository)).Code | Should -Be 0
        $missing = Invoke-Child ($restore + '000000010000000000000009' + 'missing' + '-Repository' + $repository)
        $missing.Code | Should -Be 74
        @($missing.Error.TrimEnd() -split "`n") | Should -HaveCount 1
        $object = Get-ChildItem (Join-Path $repository 'wal_005') | Select-Object -First 1
        $bytes = [IO.File]::ReadAllBytes($object.FullName)
        [IO.File]::WriteAllBytes($object.FullName, $bytes[0..($bytes.Length - 500)])
        (Invoke-Child ($restore + $name + 'damaged' + '-Repository' + $repository)).Code | Should -Be 126
        Get-ChildItem $TestDrive -Filter 'damaged*' | Should -BeNullOrEmpty
    }

    It 'survives kill -9 at any moment of a push' {
        New-Segment (Join-Path $TestDrive "big/$name") -Megabytes 64
        $killed = Join-Path $TestDrive 'killed'
        $finished = 0
        foreach ($round in 1..8) {
            Remove-Item $killed -Recurse -Force -ErrorAction Ignore
            $process = Start-Process ([Environment]::ProcessPath) -PassThru -ArgumentList (@('-NoProfile', '-NonInteractive') + $archive + (Join-Path $TestDrive "big/$name"), '-Repository', $killed)
            # The last rounds hit the writing itself: the first sign of the object is awaited.
            $patience = [Diagnostics.Stopwatch]::StartNew()
            while (-not (Get-ChildItem (Join-Path $killed 'wal_005') -ErrorAction Ignore) -and $patience.Elapsed.TotalSeconds -lt 30 -and -not $process.HasExited) { [Threading.Thread]::Sleep(1) }
            [Threading.Thread]::Sleep(15 * ($round - 1))
            $process.Kill()
            $process.WaitForExit()
            $visible = @(Get-ChildItem (Join-Path $killed 'wal_005') -File -ErrorAction Ignore | Where-Object Name -NotMatch '\.tmp\.')
            if ($visible) {
                $finished++
                (Get-FileHash (Restore-PgWal $name (Join-Path $TestDrive 'back') -Repository $killed).Destination).Hash | Should -Be (Get-FileHash (Join-Path $TestDrive "big/$name")).Hash
            }
            (Push-PgWal (Join-Path $TestDrive "big/$name") -Repository $killed).Status | Should -BeIn 'Stored', 'AlreadyStored'
        }
        $finished | Should -BeLessThan 8 -Because 'some rounds must have been killed before the end'
    }
}

Describe 'Archiving on a real server' {
    BeforeAll {
        $cluster = Start-TestCluster
        # The server's account may not be able to read the folder of this tree.
        $module = Join-Path $cluster.Folder 'module'
        Copy-Item (Get-Module PgBackup).ModuleBase $module -Recurse
        chmod -R a+rX $module
        Remove-Module PgBackup
        Import-Module (Join-Path $module 'PgBackup.psd1')
        $repository = Join-Path $cluster.Folder "the repository's 100%"
        $null = Invoke-AsServerAccount mkdir $repository
        $connection = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
    }

    AfterAll {
        Stop-TestCluster $cluster
        Remove-Module PgBackup
        Import-Module PgBackup
    }

    It 'shows a plan and changes nothing with -WhatIf' {
        $plan = Enable-PgWalArchiving @connection -Repository $repository -WhatIf
        ($plan | Where-Object Name -EQ archive_mode).Needs | Should -Be 'Restart'
        ($plan | Where-Object Name -EQ archive_command).NewValue | Should -Match "pgbackup-wal' push '%p' --repository"
        Invoke-TestSql $cluster "SELECT count(*) FROM pg_file_settings WHERE name LIKE 'archive%'" | Should -Be '0'
        (Get-PgWalArchiveStatus @connection -Repository $repository).Status | Should -Be 'Off'
    }

    It 'turns archiving on, says that a restart is owed, and then archives' {
        $settings = Enable-PgWalArchiving @connection -Repository $repository -ArchiveTimeout 90s -WarningVariable warnings -WarningAction SilentlyContinue
        ($settings | Where-Object Name -EQ archive_timeout).NewValue | Should -Be '90'
        ($settings | Where-Object Needs -EQ Restart).Name | Should -Contain 'archive_mode'
        "$warnings" | Should -Match 'restarted'
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
        $null = Invoke-TestSql $cluster 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n' 
        $null = Invoke-TestSql $cluster 'SELECT pg_switch_wal()'
        $patience = [Diagnostics.Stopwatch]::StartNew()
        do { $status = Get-PgWalArchiveStatus @connection -Repository $repository; Start-Sleep -Milliseconds 200 }
        until ($status.ArchivedCount -gt 0 -or $patience.Elapsed.TotalSeconds -gt 60)
        $status.Status | Should -Be 'Ok' -Because "$($status.Reasons) $(Get-Content $cluster.LogFile -Tail 20)"
        "$($status.NewestSegment)" | Should -Be $status.LastArchivedWal
        Get-ChildItem (Join-Path $repository 'wal_005') | ForEach-Object BaseName | Should -Contain $status.LastArchivedWal
        (Enable-PgWalArchiving @connection -Repository $repository | Where-Object IsChanged) | Should -BeNullOrEmpty
    }
}
