BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = New-TestRepository 'status'
    $repository = Join-Path $folder 'repository'
    $cluster = Start-TestCluster @{ archive_timeout = '60' } -ArchiveTo $repository
    $connection = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }

    # The exit code of a process of its own that runs the command.
    function Get-ExitCode {
        param([string] $More = '', [int] $Port = $cluster.Port)
        $null = pwsh -NoProfile -NonInteractive -Command "Get-PgWalArchiveStatus -HostName '$($cluster.HostName)' -Port $Port -UserName $($cluster.UserName) -Repository '$repository' $More" 2>&1
        $LASTEXITCODE
    }
}

AfterAll {
    Stop-TestCluster $cluster
    Remove-Item -LiteralPath $folder -Recurse -Force
}

Describe 'Get-PgWalArchiveStatus' {
    It 'switches nothing with -WhatIf' {
        $before = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_current_wal_insert_lsn())'
        (Get-PgWalArchiveStatus @connection -Repository $repository -Probe -WhatIf).ProbeSegment | Should -BeNullOrEmpty
        Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_current_wal_insert_lsn())' | Should -Be $before
    }

    It 'proves the whole way, ends with 0, and fits into 80 columns' {
        $status = Get-PgWalArchiveStatus @connection -Repository $repository -Probe -MinFreeSpace 1MB
        $status.Status | Should -Be 'Ok' -Because "$($status.Reasons)"
        "$($status.ProbeSegment)" | Should -Be "$($status.NewestSegment)"
        $status.ProbeDuration.TotalSeconds | Should -BeLessThan 60
        $lines = ($status | Out-String -Width 80).TrimEnd() -split '\r?\n'
        $lines | Where-Object Length -GT 80 | Should -BeNullOrEmpty
        "$lines" | Should -Match 'NewestSegment\s+: [0-9A-F]{24} \(read; .* behind\)'
        Get-ExitCode '-MinFreeSpace 1MB' | Should -Be 0
    }

    It 'ends with 3 for a warning, which says what to do' {
        $null = Invoke-TestSql $cluster "SELECT pg_create_physical_replication_slot('left', true)"
        $null = Invoke-TestSql $cluster "SELECT pg_logical_emit_message(true, 'x', repeat('x', 100000))"
        $status = Get-PgWalArchiveStatus @connection -Repository $repository -MinFreeSpace 1MB -MaxSlotLag 1kB
        $status.Status | Should -Be 'Warning'
        $status.Reasons | Should -HaveCount 1
        $status.Reasons[0] | Should -Match "pg_drop_replication_slot\('left'\)"
        Get-ExitCode '-MinFreeSpace 1MB -MaxSlotLag 1kB' | Should -Be 3
        $null = Invoke-TestSql $cluster "SELECT pg_drop_replication_slot('left')"
    }

    It 'ends with 14 for a failure, and its reasons stay whole at 80 columns' {
        $null = Invoke-TestSql $cluster "ALTER SYSTEM SET archive_command = 'false %p'"
        $null = Invoke-TestSql $cluster 'SELECT pg_reload_conf()'
        $status = Get-PgWalArchiveStatus @connection -Repository $repository -Probe -Timeout 2s
        $status.Status | Should -Be 'Failure'
        $text = ($status | Out-String -Width 80) -replace '\r?\n\s*', ' '
        $status.Reasons.Count | Should -Be 2
        $text | Should -Match ([regex]::Escape($status.Reasons[0]))
        $text | Should -Match ([regex]::Escape($status.Reasons[1]))
        Get-ExitCode | Should -Be 14
    }

    It 'ends with 14 and no error when the repository is not there' {
        $status = Get-PgWalArchiveStatus @connection -Repository (Join-Path $folder 'none')
        $status.Status | Should -Be 'Failure'
        "$($status.Reasons)" | Should -Match 'does not exist'
    }

    It 'ends with 20 when the server is not there' {
        Get-ExitCode -Port 1 | Should -Be 20
    }

    It 'ends with the worst of several calls, and one server that is not there does not end the watch' {
        $server = "-HostName '$($cluster.HostName)' -Port $($cluster.Port) -UserName $($cluster.UserName)"
        $null = Invoke-TestSql $cluster 'ALTER SYSTEM RESET archive_command'
        $null = Invoke-TestSql $cluster 'SELECT pg_reload_conf()'
        for ($i = 0; $i -lt 300 -and (Get-ExitCode '-MinFreeSpace 1MB -FailureWindow 0s') -ne 0; $i++) { Start-Sleep -Milliseconds 200 }
        $none = Join-Path $folder 'none'
        $null = pwsh -NoProfile -NonInteractive -Command "Get-PgWalArchiveStatus $server -Repository '$none'; Get-PgWalArchiveStatus $server -Repository '$repository' -MinFreeSpace 1MB -FailureWindow 0s" 2>&1
        $LASTEXITCODE | Should -Be 14
        $servers = [pscustomobject] @{ Port = 1 }, [pscustomobject] @{ Port = $cluster.Port }
        $states = $servers | Get-PgWalArchiveStatus -HostName $cluster.HostName -UserName $cluster.UserName -Repository $repository -ErrorVariable errors -ErrorAction SilentlyContinue
        $states | Should -HaveCount 1
        $errors | Should -HaveCount 1
        { Get-PgWalArchiveStatus -HostName $cluster.HostName -Port 1 -UserName $cluster.UserName -Repository $repository } | Should -Throw
    }
}
