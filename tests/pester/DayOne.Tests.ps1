# The README's transcript as a runbook: what a new user types on the first day, in that order, and what must be so after each step.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $cluster = Start-TestCluster
    # Below the cluster's folder: the server's account archives into it, and the test's own drive may be closed to that account.
    $repository = Join-Path $cluster.Folder 'repository'
    $null = Invoke-AsServerAccount mkdir $repository
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }

    function Wait-Archived {
        $segment = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_switch_wal())'
        $end = [datetime]::UtcNow.AddSeconds(60)
        while (-not (Test-Path (Join-Path $repository "wal_005/$segment.zst"))) {
            if ([datetime]::UtcNow -gt $end) { throw "$segment was not archived:`n$(Get-Content $cluster.LogFile -Raw)" }
            Start-Sleep -Milliseconds 100
        }
    }
}

AfterAll {
    $restored = Join-Path $cluster.Folder 'restored'
    if (Test-Path (Join-Path $restored 'postmaster.pid')) { $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) '-D', $restored, '-m', 'immediate', '-w', 'stop' }
    Stop-TestCluster $cluster -Mode immediate
}

Describe 'Day one' {
    It 'refuses a backup while the server does not archive, and says what to do' {
        { Backup-PgCluster @server -Repository $repository -ErrorAction Stop } |
            Should -Throw -ErrorId 'ArchivingNotEnabled,PgBackup.PowerShell.Backups.BackupPgClusterCommand' -PassThru |
            ForEach-Object { $_.ErrorDetails.RecommendedAction } | Should -Match 'Enable-PgWalArchiving'
    }

    It 'shows the settings for archiving before it changes them' {
        Enable-PgWalArchiving @server -Repository $repository -WhatIf -WarningAction Ignore | Out-Null
        Invoke-TestSql $cluster 'SHOW archive_mode' | Should -Be 'off'
        Join-Path $cluster.DataDirectory postgresql.auto.conf | Should -Not -FileContentMatch 'archive_command'
    }

    It 'turns archiving on, and says that a restart is owed' {
        $settings = Enable-PgWalArchiving @server -Repository $repository -WarningAction Ignore
        ($settings | Where-Object Name -eq archive_mode).Needs | Should -Be 'Restart'
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
        Invoke-TestSql $cluster 'SHOW archive_mode' | Should -Be 'on'
    }

    It 'takes a backup into an empty repository' {
        $null = Invoke-TestSql $cluster "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g"
        $result = Backup-PgCluster @server -Repository $repository -UserData @{ ticket = 4711 }
        $result.Status | Should -Be 'Complete'
        $result.WalSegmentCount | Should -BeGreaterThan 0
        $result.CorruptFiles | Should -BeNullOrEmpty
    }

    It 'lists it, with what was given along' {
        $backup = Get-PgBackup -Repository $repository
        $backup | Should -HaveCount 1
        $backup.Type | Should -Be 'Full'
        $backup.UserData['ticket'] | Should -Be 4711
        $backup.Size | Should -BeLessThan 100MB
        ($backup | Out-String -Width 80) -split "`n" | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
    }

    It 'says that the archive is well' {
        Wait-Archived
        (Get-PgWalArchiveStatus @server -Repository $repository).Status | Should -Be 'Ok'
    }

    It 'restores to a noted moment: what was there is there, what came later is not' {
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES (2001)"
        $noted = Invoke-TestSql $cluster 'SELECT clock_timestamp()'
        Start-Sleep -Milliseconds 1100
        $null = Invoke-TestSql $cluster 'DROP TABLE t'
        Wait-Archived

        $window = Get-PgRecoveryWindow -Repository $repository
        $window.EndTime | Should -BeGreaterThan ([datetimeoffset] $noted)

        $plan = Get-PgRestorePlan -Repository $repository -TargetTime $noted
        $plan.Name | Should -Be (Get-PgBackup -Repository $repository -Latest).Name

        $restored = Join-Path $cluster.Folder 'restored'
        $result = Restore-PgPointInTime -Repository $repository -TargetTime $noted -DataDirectory $restored -Start
        $result.Status | Should -Be 'Promoted'
        $result.Timeline.Value | Should -Be 2
        $copy = $cluster.PSObject.Copy()
        $copy.Port = $result.Port
        Invoke-TestSql $copy 'SELECT count(*), max(id) FROM t' | Should -Be '1001|2001'
        Invoke-TestSql $copy 'SHOW archive_mode' | Should -Be 'off'
        Invoke-TestSql $cluster "SELECT to_regclass('t')" | Should -BeNullOrEmpty
    }

    It 'refuses a directory that a server runs on, one that is not empty, and a time that no archived transaction follows' {
        { Restore-PgPointInTime -Repository $repository -DataDirectory (Join-Path $cluster.Folder 'restored') -ErrorAction Stop } |
            Should -Throw -ErrorId 'DestinationInUse,*'
        $full = New-Item -ItemType Directory (Join-Path $TestDrive 'full')
        $kept = New-Item -ItemType File (Join-Path $full 'kept')
        { Restore-PgPointInTime -Repository $repository -DataDirectory $full -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationNotEmpty,*'
        $kept | Should -Exist
        { Get-PgRestorePlan -Repository $repository -TargetTime (Get-Date).AddDays(1) -ErrorAction Stop } | Should -Throw -ErrorId 'TargetNotReachable,*'
    }

    It 'lets a mistyped repository be an error, not a new repository' {
        { Get-PgBackup -Repository "$repository-mistyped" -ErrorAction Stop } | Should -Throw -ErrorId 'RepositoryNotFound,*'
        Test-Path "$repository-mistyped" | Should -BeFalse
    }
}
