BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
}

Describe 'Restore-PgPointInTime' {
    BeforeAll {
        $folder = New-TestRepository restore
        $repository = Join-Path $folder 'repository'
        $cluster = Start-TestCluster -ArchiveTo $repository
        $null = Invoke-TestSql $cluster 'CREATE TABLE t (v text)'
        $null = $cluster | Backup-PgCluster -Repository $repository
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('A')"
        Start-Sleep -Milliseconds 50
        $time = Invoke-TestSql $cluster 'SELECT clock_timestamp()'
        Start-Sleep -Milliseconds 50
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('B')"
        Complete-TestSegment $cluster $repository
        $restored = Join-Path $folder 'restored'
    }

    AfterAll {
        if (Test-Path "$restored/postmaster.pid") {
            $null = Invoke-AsServerAccount (Get-ServerProgram 'pg_ctl') @('stop', '-D', $restored, '-m', 'immediate', '-w')
        }
        Stop-TestCluster $cluster
        Remove-Item -Recurse -Force $folder
    }

    It 'shows the window' {
        $window = Get-PgRecoveryWindow -Repository $repository
        $window.BackupCount | Should -Be 1
        $window.StartTime | Should -BeLessThan ([DateTimeOffset] $time)
        $window.EndTime | Should -BeGreaterThan ([DateTimeOffset] $time)
    }

    It 'plans, and writes nothing' {
        $plan = Get-PgRestorePlan -Repository $repository -TargetTime $time -DataDirectory $restored
        $plan.Target.Kind | Should -Be 'Time'
        $plan.RecoverySettings['archive_mode'] | Should -Be 'off'
        $restored | Should -Not -Exist
        Restore-PgPointInTime -Repository $repository -TargetTime $time -DataDirectory $restored -WhatIf | Should -BeNullOrEmpty
        $restored | Should -Not -Exist
    }

    It 'refuses what cannot be reached' {
        { Get-PgRestorePlan -Repository $repository -TargetTime '2099-01-01' } |
            Should -Throw -ErrorId 'TargetNotReachable,PgBackup.PowerShell.Restores.GetPgRestorePlanCommand'
        { Get-PgRestorePlan -Repository $repository -TargetName 'none' } |
            Should -Throw -ErrorId 'TargetNotReachable,PgBackup.PowerShell.Restores.GetPgRestorePlanCommand'
        { Get-PgRestorePlan -Repository $repository -TargetName 'none' -Exclusive } | Should -Throw -ErrorId 'AmbiguousParameterSet,*'
        { Get-PgRestorePlan -Repository $repository -TablespaceMapping '/no/such=/x' -DataDirectory $restored } |
            Should -Throw -ErrorId 'TablespaceMappingInvalid,PgBackup.PowerShell.Restores.GetPgRestorePlanCommand'
    }

    It 'brings the cluster back to the moment, beside the running one' {
        $result = Get-PgBackup -Repository $repository | Restore-PgPointInTime -Repository $repository -TargetTime $time -DataDirectory $restored -Start
        $result.Status | Should -Be 'Promoted'
        Invoke-TestSql ([pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres' }) "SELECT string_agg(v, ',') FROM t" | Should -Be 'A'
        Invoke-TestSql $cluster "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be 'A,B'
        { Restore-PgPointInTime -Repository $repository -DataDirectory $restored -Force } |
            Should -Throw -ErrorId 'DestinationInUse,PgBackup.PowerShell.Restores.RestorePgPointInTimeCommand'
    }
}
