BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup

    # A receiver in a process of its own, as a service runs it.
    function Start-Receiver {
        $script = "Import-Module PgBackup; Receive-PgWal pester -CreateSlot -MaxLag 1s -Repository '$repository' -HostName $($cluster.HostName) -Port $($cluster.Port) -UserName postgres | ForEach-Object { `"`$_ `$(`$_.Status)`" }"
        $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath, [string[]] ('-NoProfile', '-NonInteractive', '-Command', $script))
        $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        [Diagnostics.Process]::Start($start)
    }

    function Wait-Received {
        $end = Invoke-TestSql $cluster 'SELECT pg_current_wal_flush_lsn()'
        for ($i = 0; (Invoke-TestSql $cluster "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'pester' AND restart_lsn >= '$end'") -ne '1'; $i++) {
            if ($i -ge 300) { throw "What was written up to $end was not received within half a minute." }
            Start-Sleep -Milliseconds 100
        }
    }
}

Describe 'Receive-PgWal' {
    BeforeAll {
        $folder = New-TestRepository receive
        $repository = Join-Path $folder 'repository'
        $cluster = Start-TestCluster -Setting @{ autovacuum = 'off' }
        $restored = Join-Path $folder 'restored'
        $null = Invoke-TestSql $cluster 'CREATE TABLE t (v text)'
    }

    AfterAll {
        if ($receiver -and -not $receiver.HasExited) { $receiver.Kill() }
        if (Test-Path "$restored/postmaster.pid") {
            $null = Invoke-AsServerAccount (Get-ServerProgram 'pg_ctl') @('stop', '-D', $restored, '-m', 'immediate', '-w')
        }
        Stop-TestCluster $cluster
        Remove-Item -Recurse -Force $folder
    }

    It 'needs a slot' {
        { $cluster | Receive-PgWal pester -Repository $repository } | Should -Throw -ErrorId 'ReplicationSlotNotFound,*'
        { $cluster | Receive-PgWal Pester -CreateSlot -Repository $repository } | Should -Throw -ErrorId 'ReceiveOptionsInvalid,*'
    }

    It 'takes the place of archive_command for a backup' {
        $script:receiver = Start-Receiver
        Wait-Received
        ($cluster | Backup-PgCluster -Repository $repository).Name | Should -Match '^base_'
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('A')"
        Wait-Received
        # SIGTERM: what it has is stored, and the last line tells how far.
        $null = /bin/kill -TERM $receiver.Id
        $receiver.WaitForExit(30000) | Should -BeTrue
        $receiver.ExitCode | Should -Be 143
        Get-ChildItem $repository/pgbackup_v1/wal_pieces -Recurse -File | Should -Not -BeNullOrEmpty
    }

    It 'is killed, and another goes on' {
        $script:receiver = Start-Receiver
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('B')"
        Wait-Received
        $receiver.Kill()
        $receiver.WaitForExit()
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('C')"
        $script:receiver = Start-Receiver
        Wait-Received
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('D')"
        Wait-Received
        $receiver.Kill()
        $receiver.WaitForExit()
    }

    It 'ends by itself, and prints a table that fits' {
        $end = Invoke-TestSql $cluster 'SELECT pg_current_wal_flush_lsn()'
        $text = $cluster | Receive-PgWal pester -Until $end -Repository $repository | Out-String -Width 80
        $text | Should -Match '(?m)^[0-9A-F]{24} Unfinished +0/[0-9A-F]+ '
        ($text -split "`n" | ForEach-Object Length | Measure-Object -Maximum).Maximum | Should -BeLessOrEqual 80
    }

    It 'loses nothing that was received with the server' {
        Stop-TestCluster $cluster -Mode immediate -Keep
        (Get-PgRecoveryWindow -Repository $repository).EndTime | Should -BeGreaterThan ([DateTimeOffset]::Now.AddMinutes(-5))
        $result = Restore-PgPointInTime -Repository $repository -Latest -DataDirectory $restored -Start -Confirm:$false
        $result.Status | Should -Be 'Promoted'
        $server = [pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port }
        Invoke-TestSql $server "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be 'A,B,C,D'
    }
}
