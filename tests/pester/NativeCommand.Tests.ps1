# The native command as a server uses it: set by Enable-PgWalArchiving, archiving, recovering, checked, and killed.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-native-').FullName
    chmod 755 $folder
    $repository = Join-Path $folder 'repository'
    $spool = Join-Path $folder 'spool'
    $null = New-Item -ItemType Directory $repository, $spool
    $config = Join-Path $folder 'pgbackup.yaml'
    Set-Content $config "version: 1`nrepositories:`n  orders:`n    location: $repository`n    wal:`n      spool: $spool"
    if ([Environment]::IsPrivilegedProcess) { chown -R postgres $folder }
    $native = [IO.Path]::GetFullPath((Join-Path (Get-Module PgBackup).ModuleBase "bin/engine/runtimes/linux-$([Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture.ToString().ToLowerInvariant())/native/pgbackup-wal"))

    # The server's account calls it in the data directory, as the server does.
    function Invoke-Native {
        param([string[]] $Argument, [string] $In = $cluster.DataDirectory)
        $start = [Diagnostics.ProcessStartInfo]::new('/bin/sh', [string[]] (@('-c', 'cd "$0" && exec "$@"', $In, $native) + $Argument))
        if ([Environment]::IsPrivilegedProcess) {
            $start = [Diagnostics.ProcessStartInfo]::new('runuser', [string[]] (@('-u', 'postgres', '--', '/bin/sh', '-c', 'cd "$0" && exec "$@"', $In, $native) + $Argument))
        }
        $start.WorkingDirectory = '/'
        $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        $process = [Diagnostics.Process]::Start($start)
        $errors = $process.StandardError.ReadToEndAsync()
        $output = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        [pscustomobject] @{ Code = $process.ExitCode; Output = $output; Error = $errors.Result }
    }

    # The processes of this runbook's repository.
    function Get-Native {
        param([string] $Verb)
        pgrep -f "^$native $Verb .*$config" | ForEach-Object { [int] $_ }
    }

    function Wait-Archived {
        $segment = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_switch_wal())'
        $status = "$($cluster.DataDirectory)/pg_wal/archive_status/$segment.done"
        for ($i = 0; -not (Test-Path $status); $i++) {
            if ($i -ge 1200) { throw "$segment was not archived.`n$(Get-Content $cluster.LogFile -Raw)" }
            Start-Sleep -Milliseconds 50
        }
    }

    $cluster = Start-TestCluster -Setting @{ autovacuum = 'off' }
    $server = @{ HostName = '127.0.0.1'; Port = $cluster.Port; UserName = 'postgres' }
}

AfterAll {
    foreach ($file in Get-ChildItem "$folder/*/postmaster.pid" -ErrorAction Ignore) {
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-D', $file.DirectoryName, '-m', 'immediate', '-w'
    }
    Stop-TestCluster $cluster
    Get-Native prefetch | ForEach-Object { Stop-Process -Id $_ -Force }
    Remove-Item -Recurse -Force $folder
}

Describe 'pgbackup-wal' {
    It 'tells its version and its use' {
        (Invoke-Native '--version').Output | Should -Match "^pgbackup-wal $((Get-Module PgBackup).Version)"
        (Invoke-Native '--help').Output | Should -Match 'pgbackup-wal push PATH'
    }

    It 'is what Enable-PgWalArchiving sets' {
        $settings = Enable-PgWalArchiving @server -Repository orders -ConfigPath $config -Confirm:$false -WarningAction Ignore
        ($settings | Where-Object Name -EQ 'archive_command').NewValue | Should -BeLike "'$native' push '%p' --config *"
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
    }

    It 'check: says that both would work before the first push' {
        $check = Invoke-Native 'check', '--config', $config, '--repository', 'orders'
        $check.Code | Should -Be 0 -Because $check.Error
        $check.Output | Should -Match 'push and fetch would work here'
        $check.Output | Should -Match ([regex]::Escape($spool))
    }

    It 'archives for a server' {
        $null = Invoke-TestSql $cluster 'CREATE TABLE t (v text)'
        foreach ($round in 1..5) {
            $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('$round')"
            $null = Invoke-TestSql $cluster 'SELECT pg_switch_wal()'
        }
        Wait-Archived
        Invoke-TestSql $cluster "SELECT count(*) FROM pg_stat_archiver WHERE archived_count >= 5" | Should -Be '1'
    }

    It 'is killed, and does it again' {
        $segment = (Get-ChildItem "$($cluster.DataDirectory)/pg_wal/archive_status/*.done" | Where-Object BaseName -Match '^[0-9A-F]{24}$' | Sort-Object Name | Select-Object -Last 1).BaseName
        $null = New-Item -ItemType Directory "$folder/killed"
        # This account has nothing to remember.
        Set-Content "$folder/killed.yaml" "version: 1`nrepositories:`n  killed:`n    location: $folder/killed`n    wal:`n      readAhead: 0`n      prefetch: 0"
        $arguments = 'push', "$($cluster.DataDirectory)/pg_wal/$segment", '--config', "$folder/killed.yaml", '--repository', 'killed'
        foreach ($pause in 0, 5, 15, 30) {
            $process = [Diagnostics.Process]::Start($native, [string[]] $arguments)
            [Threading.Thread]::Sleep($pause)
            $process.Kill()
            $process.WaitForExit()
            $process.ExitCode | Should -BeIn 0, 137
            if ($pause -eq 0) { $process.ExitCode | Should -Be 137 }
        }
        & $native @arguments
        $LASTEXITCODE | Should -Be 0
        & $native fetch $segment "$folder/fetched" --config "$folder/killed.yaml" --repository killed
        $LASTEXITCODE | Should -Be 0
        (Get-FileHash "$folder/fetched").Hash | Should -Be (Get-FileHash "$($cluster.DataDirectory)/pg_wal/$segment").Hash
    }

    It 'recovers what Restore-PgPointInTime restores' {
        $null = Backup-PgCluster @server -Repository orders -ConfigPath $config
        foreach ($round in 6..12) {
            $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('$round')"
            Wait-Archived
        }
        $result = Restore-PgPointInTime -Repository orders -ConfigPath $config -DataDirectory "$folder/restored" -Start -Confirm:$false -WarningAction Ignore
        $result.Status | Should -Be 'Promoted'
        $restored = [pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres' }
        Invoke-TestSql $restored 'SELECT count(*) FROM t' | Should -Be '12'
        Get-Content "$folder/restored/postgresql.auto.conf" -Raw | Should -Match ([regex]::Escape("$native"))
    }

    It 'check: says that the repository is this cluster''s, and another''s is not' {
        $check = Invoke-Native 'check', '--config', $config, '--repository', 'orders'
        $check.Code | Should -Be 0 -Because $check.Error
        $check.Output | Should -Match 'Cluster: the repository is that of this cluster'

        $other = Start-TestCluster
        try {
            $wrong = Invoke-Native 'check', '--config', $config, '--repository', 'orders' -In $other.DataDirectory
            $wrong.Code | Should -Be 14
            $wrong.Output | Should -Match 'Give this cluster a repository of its own'
        }
        finally { Stop-TestCluster $other }
    }

    It 'check: names what is wrong' {
        $none = Invoke-Native 'check', '--repository', "$folder/no/where"
        $none.Code | Should -Not -Be 0
        "$($none.Output)$($none.Error)" | Should -Match ([regex]::Escape("$folder/no/where"))
        (Invoke-Native 'check', '--config', "$folder/none.yaml").Code | Should -Be 2
        $unknown = Invoke-Native 'check', '--config', $config, '--repository', 'ordres'
        $unknown.Code | Should -Be 2
        @($unknown.Error.TrimEnd() -split "`n") | Should -HaveCount 1
    }
}
