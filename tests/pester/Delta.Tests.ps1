# Full backups and deltas, as a scheduler takes them and as a user restores them.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $cluster = Start-TestCluster
    $repository = Join-Path $cluster.Folder 'repository'
    $null = Invoke-AsServerAccount mkdir $repository
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
    $null = Enable-PgWalArchiving @server -Repository $repository -WarningAction Ignore
    Stop-TestCluster $cluster -Keep
    Resume-TestCluster $cluster
    $null = Invoke-TestSql $cluster "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 10) AS v FROM generate_series(1, 20000) g"
    # Sets the hints of its rows, which otherwise the next reader would, on every page.
    $null = Invoke-TestSql $cluster 'VACUUM t'
}

AfterAll {
    $restored = Join-Path $cluster.Folder 'restored'
    if (Test-Path (Join-Path $restored 'postmaster.pid')) { $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) '-D', $restored, '-m', 'immediate', '-w', 'stop' }
    Stop-TestCluster $cluster -Mode immediate
}

Describe 'Deltas' {
    It 'says that there is nothing to rest on, and what to type' {
        { Backup-PgCluster @server -Repository $repository -Type Delta -ErrorAction Stop } |
            Should -Throw -ErrorId 'NoParent,PgBackup.PowerShell.Backups.BackupPgClusterCommand' -PassThru |
            ForEach-Object { $_.ErrorDetails.RecommendedAction } | Should -Match '-Type Full'
    }

    It 'begins a chain with a full backup, and says why' {
        $script:full = Backup-PgCluster @server -Repository $repository -Type Auto -DeltaMaxSteps 2
        $full.Type | Should -Be 'Full'
        $full.Reason | Should -Match 'no backup of this cluster yet'
    }

    It 'goes on with deltas up to the limit' {
        $null = Invoke-TestSql $cluster "UPDATE t SET v = 'changed' WHERE id BETWEEN 100 AND 200"
        $script:first = Backup-PgCluster @server -Repository $repository -Type Auto -DeltaMaxSteps 2
        $first.Type | Should -Be 'Delta'
        $first.Parent | Should -Be $full.Name
        $first.UncompressedSize | Should -BeLessThan ($full.UncompressedSize.Bytes / 4)
        $first.SkippedFileCount | Should -BeGreaterThan 0
        $text = $first | Out-String -Width 80
        $text | Should -Match 'Parent\s+: base_'
        $text -split "`n" | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
        $null = Invoke-TestSql $cluster "DELETE FROM t WHERE id > 19000"
        $script:second = Backup-PgCluster @server -Repository $repository -Type Auto -DeltaMaxSteps 2
        $second.Parent | Should -Be $first.Name
        (Backup-PgCluster @server -Repository $repository -Type Auto -DeltaMaxSteps 2 -WhatIf) | Should -BeNullOrEmpty
    }

    It 'reads the limit from the environment, as wal-g does' {
        $env:WALG_DELTA_MAX_STEPS = '3'
        try {
            $third = Backup-PgCluster @server -Repository $repository
            $third.Type | Should -Be 'Delta'
            $third.Reason | Should -Match 'delta 3 of at most 3'
            (Backup-PgCluster @server -Repository $repository -Type Full).Type | Should -Be 'Full'
        }
        finally { Remove-Item Env:\WALG_DELTA_MAX_STEPS }
    }

    It 'takes the parent that it is told' {
        $named = Backup-PgCluster @server -Repository $repository -DeltaFrom $full.Name
        $named.Parent | Should -Be $full.Name
        { Backup-PgCluster @server -Repository $repository -DeltaFrom base_0000000100000000000000FF -ErrorAction Stop } |
            Should -Throw -ErrorId 'BackupNotFound,*'
        { Backup-PgCluster @server -Repository $repository -DeltaFrom $full.Name -Type Full -ErrorAction Stop } | Should -Throw -ErrorId 'SettingInvalid,*'
    }

    It 'takes them at a distance, by the replication protocol' {
        $null = Invoke-TestSql $cluster "UPDATE t SET v = 'far' WHERE id BETWEEN 300 AND 310"
        $remote = Backup-PgCluster @server -Repository $repository -Mode Remote -Type Delta
        $remote.Type | Should -Be 'Delta'
        $remote.IncrementCount | Should -BeGreaterThan 0
        $next = Backup-PgCluster @server -Repository $repository -Mode Local -Type Delta
        $next.Parent | Should -Be $remote.Name
    }

    It 'lists the chain at 80 columns' {
        $listed = Get-PgBackup -Repository $repository
        ($listed | Where-Object Name -eq $second.Name).Chain | Should -Be @($full.Name, $first.Name, $second.Name)
        $listed | Out-String -Width 80 | ForEach-Object { $_ -split "`n" } | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
    }

    It 'restores a delta with its chain' {
        $destination = Join-Path $cluster.Folder 'restored'
        $result = Restore-PgPointInTime -Repository $repository -Name $second.Name -Immediate -DataDirectory $destination -Start -Confirm:$false -WarningAction Ignore
        $rows = Invoke-TestSql @{ HostName = $cluster.HostName; Port = $result.Port } "SELECT count(*) || ' ' || count(*) FILTER (WHERE v = 'changed') FROM t"
        $rows | Should -Be '19000 101'
    }

    It 'brings a directory to another backup in place, fetching what differs' {
        $destination = Join-Path $cluster.Folder 'restored'
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) '-D', $destination, '-m', 'fast', '-w', 'stop'
        $result = Restore-PgPointInTime -Repository $repository -Name $full.Name -Immediate -DataDirectory $destination -Delta -Start -Force -Confirm:$false -WarningAction Ignore
        $result.KeptSize | Should -BeGreaterThan 0
        Invoke-TestSql @{ HostName = $cluster.HostName; Port = $result.Port } "SELECT count(*) || ' ' || count(*) FILTER (WHERE v = 'changed') FROM t" | Should -Be '20000 0'
    }
}
