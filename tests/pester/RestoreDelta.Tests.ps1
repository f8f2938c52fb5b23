BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
}

Describe 'Restore-PgPointInTime -Delta' {
    BeforeAll {
        $folder = New-TestRepository delta
        $repository = Join-Path $folder 'repository'
        $cluster = Start-TestCluster -ArchiveTo $repository
        $null = Invoke-TestSql $cluster "CREATE TABLE t AS SELECT 'A' v"
        $null = $cluster | Backup-PgCluster -Repository $repository
        Complete-TestSegment $cluster $repository
        $restored = Join-Path $folder 'restored'
        $null = Restore-PgPointInTime -Repository $repository -DataDirectory $restored
    }

    AfterAll {
        if (Test-Path "$restored/postmaster.pid") {
            $null = Invoke-AsServerAccount (Get-ServerProgram 'pg_ctl') @('stop', '-D', $restored, '-m', 'immediate', '-w')
        }
        Stop-TestCluster $cluster
        Remove-Item -Recurse -Force $folder
    }

    It 'leaves everything alone with -WhatIf' {
        Set-Content "$restored/foreign" 'x'
        Restore-PgPointInTime -Repository $repository -DataDirectory $restored -Delta -WhatIf | Should -BeNullOrEmpty
        "$restored/foreign" | Should -Exist
        "$restored/global/pg_control" | Should -Exist
    }

    It 'refuses a server that runs' {
        { Restore-PgPointInTime -Repository $repository -DataDirectory $cluster.DataDirectory -Delta -Confirm:$false } |
            Should -Throw -ErrorId 'DestinationInUse,PgBackup.PowerShell.Restores.RestorePgPointInTimeCommand'
    }

    It 'keeps what is right and removes what does not belong there' {
        $result = Restore-PgPointInTime -Repository $repository -DataDirectory $restored -Delta -Confirm:$false -Start
        "$restored/foreign" | Should -Not -Exist
        $result.Status | Should -Be 'Promoted'
        $result.KeptSize | Should -BeGreaterThan $result.FetchedSize
        ($result | Out-String) | Should -Match 'KeptSize'
        Invoke-TestSql ([pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres' }) 'SELECT v FROM t' | Should -Be 'A'
    }
}
