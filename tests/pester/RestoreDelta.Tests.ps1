BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
}

Describe 'Restore-PgPointInTime -Delta' {
    BeforeAll {
        # The server writes its archive here: a folder that its account may enter.
        $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-delta-').FullName
        $repository = Join-Path $folder 'repository'
        $null = New-Item -ItemType Directory "$repository/wal_005"
        if ([Environment]::IsPrivilegedProcess) {
            & chown -R postgres $folder
        }
        $wal = "$repository/wal_005"
        $cluster = Start-TestCluster -Setting @{ archive_mode = 'on'; archive_command = "cp '%p' '$wal/.%f' && mv '$wal/.%f' '$wal/%f'" }
        $null = Invoke-TestSql $cluster "CREATE TABLE t AS SELECT 'A' v"
        $null = $cluster | Backup-PgCluster -Repository $repository
        $segment = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_switch_wal())'
        for ($i = 0; $i -lt 600 -and -not (Test-Path "$wal/$segment"); $i++) {
            Start-Sleep -Milliseconds 50
        }
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
