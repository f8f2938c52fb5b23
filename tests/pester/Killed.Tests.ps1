# kill -9 of the PowerShell that restores.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = New-TestRepository killed
    $repository = Join-Path $folder 'repository'
    $cluster = Start-TestCluster -ArchiveTo $repository
    $null = Invoke-TestSql $cluster 'CREATE TABLE big AS SELECT repeat(md5(g::text), 30) v FROM generate_series(1, 150000) g'
    $null = $cluster | Backup-PgCluster -Repository $repository
    $null = Invoke-TestSql $cluster 'CREATE TABLE t (v text)'
    Complete-TestSegment $cluster $repository
    $restored = Join-Path $folder 'restored'

    # Kills the child as soon as the condition holds.
    function Stop-RestoreWhen {
        param([scriptblock] $Condition, [string] $More)
        $text = "Restore-PgPointInTime -Repository '$repository' -DataDirectory '$restored' -ThrottleLimit 1 -Force -Start $More"
        $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath, [string[]] @('-NoProfile', '-NonInteractive', '-Command', $text))
        $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        $child = [Diagnostics.Process]::Start($start)
        $errors = $child.StandardError.ReadToEndAsync()
        while (-not (& $Condition)) {
            if ($child.HasExited) { throw "It ended before it was killed: $($errors.Result)" }
            [Threading.Thread]::Sleep(1)
        }
        $child.Kill()
        $child.WaitForExit()
        $child.ExitCode | Should -Be 137
    }

    function Stop-Restored { $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-D', $restored, '-m', 'immediate', '-w' }

    function Start-ByHand { Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'start', '-w', '-t', '20', '-D', $restored, '-l', "$restored/by-hand.log" }
}

AfterAll {
    if (Test-Path "$restored/postmaster.pid") { Stop-Restored }
    Stop-TestCluster $cluster
    Remove-Item -Recurse -Force $folder
}

Describe 'A restore that is killed' {
    It 'leaves nothing that starts while it writes files' {
        Stop-RestoreWhen { Get-ChildItem "$restored/base/*/*" -ErrorAction Ignore | Where-Object Length -gt 20MB | Select-Object -First 1 }
        "$restored/pgbackup_restore_in_progress" | Should -Exist
        "$restored/global/pg_control" | Should -Not -Exist
        { Start-ByHand } | Should -Throw
    }

    It 'leaves nothing that starts while -Force clears' {
        Stop-RestoreWhen { -not (Test-Path "$restored/base") -or (Get-Content "$restored/pgbackup_restore_in_progress" -ErrorAction Ignore) -match 'cleared' }
        "$restored/pgbackup_restore_in_progress" | Should -Exist
        { Start-ByHand } | Should -Throw
    }

    It 'leaves the server that recovers: the next run names it' {
        Stop-RestoreWhen { Test-Path "$restored/postmaster.pid" } "-RestoreCommand 'sleep 1; cp $repository/wal_005/%f %p'"
        $process = [int] (Get-Content "$restored/postmaster.pid" -TotalCount 1)
        { Restore-PgPointInTime -Repository $repository -DataDirectory $restored -Force } | Should -Throw "*process $process*"
        # The eighth line tells the state.
        for ($i = 0; "$(@(Get-Content "$restored/postmaster.pid")[7])".Trim() -ne 'ready'; $i++) {
            $i | Should -BeLessThan 600
            Start-Sleep -Milliseconds 50
        }
        # It has gone on by itself to its target.
        $server = [pscustomobject] @{ HostName = '127.0.0.1'; Port = (Get-Content "$restored/postmaster.pid")[3]; UserName = 'postgres' }
        Invoke-TestSql $server 'SELECT count(*) FROM big' | Should -Be '150000'
        Stop-Restored
    }

    It 'is followed by one that succeeds' {
        $result = Restore-PgPointInTime -Repository $repository -DataDirectory $restored -Force -Start
        $result.Status | Should -Be 'Promoted'
        Invoke-TestSql ([pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres' }) 'SELECT count(*) FROM big' | Should -Be '150000'
    }
}
