# The 3-2-1 recipe with folders: from the server's repository into a second one, and the copy restored.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = New-TestRepository copy
    $repository = Join-Path $folder 'repository'
    $cluster = Start-TestCluster -ArchiveTo $repository
    $null = Invoke-TestSql $cluster 'CREATE TABLE t (v text)'
    $first = $cluster | Backup-PgCluster -Repository $repository
    $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('A')"
    $second = $cluster | Backup-PgCluster -Repository $repository
    $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('B')"
    Complete-TestSegment $cluster $repository
    $copy = Join-Path $folder 'copy'
    $restored = Join-Path $folder 'restored'
}

AfterAll {
    if (Test-Path "$restored/postmaster.pid") {
        $null = Invoke-AsServerAccount (Get-ServerProgram 'pg_ctl') @('stop', '-D', $restored, '-m', 'immediate', '-w')
    }
    Stop-TestCluster $cluster
    Remove-Item -Recurse -Force $folder
}

Describe 'Copy-PgBackup' {
    It 'tells what would go over, and writes nothing' {
        Get-PgBackup -Repository $repository | Copy-PgBackup -Destination $copy -WhatIf | Should -BeNullOrEmpty
        $copy | Should -Not -Exist
    }

    It 'takes a backup from the pipeline, with its WAL' {
        $result = Get-PgBackup -Repository $repository -Latest | Copy-PgBackup -Destination $copy
        $result.Name | Should -Be $second.Name
        $result.Status | Should -Be 'Copied'
        $result.Size | Should -BeGreaterThan 1MB
        (Get-PgBackup -Repository $copy).Name | Should -Be $second.Name
        Compare-Object (Get-ChildItem $repository/basebackups_005/$($second.Name) -Recurse -File | Get-FileHash).Hash (Get-ChildItem $copy/basebackups_005/$($second.Name) -Recurse -File | Get-FileHash).Hash |
            Should -BeNullOrEmpty
        Get-PgRestorePlan -Repository $copy -Name $result.Name -Immediate | Should -Not -BeNullOrEmpty
    }

    It 'says of a name that is not there, and of a folder that is the source' {
        Copy-PgBackup -Name 'base_none' -Repository $repository -Destination $copy -ErrorAction SilentlyContinue -ErrorVariable failure | Should -BeNullOrEmpty
        $failure[0].FullyQualifiedErrorId | Should -Be 'BackupNotFound,PgBackup.PowerShell.Backups.CopyPgBackupCommand'
        { Copy-PgBackup -Repository $repository -Destination $repository } | Should -Throw -ErrorId 'CopyOntoItself,PgBackup.PowerShell.Backups.CopyPgBackupCommand'
    }

    It 'adds all that is missing and says what was there' {
        $results = Copy-PgBackup -Repository $repository -Destination $copy -WithHistory -WarningVariable warning -WarningAction SilentlyContinue
        ($results | Where-Object Name -eq $first.Name).Status | Should -Be 'Copied'
        "$warning" | Should -BeLike '*LATEST*'
        (Copy-PgBackup -Repository $repository -Destination $copy -WithHistory).Status | Should -Be @('Present', 'Present')
        ($results | Format-Table | Out-String -Width 110) | Should -BeLike '*Skipped*Took*'
    }

    It 'makes copies that a server comes up from, to the last committed row' {
        $result = Restore-PgPointInTime -Repository $copy -DataDirectory $restored -Start
        Invoke-TestSql ([pscustomobject] @{ HostName = '127.0.0.1'; Port = $result.Port; UserName = 'postgres' }) "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be 'A,B'
    }
}
