# The configuration file, and the server that works with it.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $variables = 'PGBACKUP_CONFIG', 'PGBACKUP_REPOSITORY', 'PGBACKUP_SERVER', 'WALG_FILE_PREFIX', 'WALG_S3_PREFIX', 'WALG_COMPRESSION_METHOD', 'AWS_REGION'
    $before = @{}
    foreach ($name in $variables) { $before[$name] = [Environment]::GetEnvironmentVariable($name); [Environment]::SetEnvironmentVariable($name, $null) }
}

AfterAll {
    foreach ($name in $variables) { [Environment]::SetEnvironmentVariable($name, $before[$name]) }
}

Describe 'Get-PgBackupConfiguration' {
    BeforeAll {
        $config = Join-Path $TestDrive 'config.yaml'
        Set-Content $config @'
repositories:
  main:
    location: s3://bucket/prefix
    region: eu-central-1
servers:
  orders: { host: /var/run/postgresql, port: 5433 }
defaults: { repository: main, server: orders }
'@
    }

    It 'tells each value and where it came from' {
        $values = Get-PgBackupConfiguration -ConfigPath $config -Port 6000
        ($values | Where-Object Name -eq 'repository.region').Source | Should -Be "${config}:4"
        ($values | Where-Object Name -eq 'server.port').Value | Should -Be '6000'
        ($values | Where-Object Name -eq 'server.port').Source | Should -Be 'parameter'
        (Get-PgBackupConfiguration -ConfigPath $config -Name 'repository.max*').Source | Should -Be 'default'
    }

    It 'shows no secret' {
        $credential = [pscredential]::new('AKIA', (ConvertTo-SecureString 'canary-secret' -AsPlainText -Force))
        $text = Get-PgBackupConfiguration -ConfigPath $config -StorageCredential $credential -Credential $credential *>&1 | Format-List * | Out-String
        $text | Should -Not -Match 'canary'
        $text | Should -Match '\(set\)'
    }

    It 'prints tables that fit' {
        $lines = (Get-PgBackupConfiguration -ConfigPath $config | Out-String -Width 80) -split "`n"
        ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 81
    }

    It 'finds the file in the working folder, and by its variable before that' {
        $folder = (New-Item -ItemType Directory (Join-Path $TestDrive 'work')).FullName
        chmod 755 $folder
        Set-Content "$folder/pgbackup.yaml" 'repositories: { here: { location: ./here } }'
        chmod 644 "$folder/pgbackup.yaml"
        Push-Location $folder
        try {
            (Get-PgBackupConfiguration -Repository here -Name repository.location).Value | Should -Be "$folder/here"
            $env:PGBACKUP_CONFIG = $config
            (Get-PgBackupConfiguration -Name repository).Value | Should -Be 'main'
        }
        finally { $env:PGBACKUP_CONFIG = $null; Pop-Location }
    }

    It 'says what is wrong, and with which line' {
        Set-Content "$TestDrive/bad.yaml" "repositories:`n  main: { location: /x, regin: y }"
        { Get-PgBackupConfiguration -ConfigPath "$TestDrive/bad.yaml" } | Should -Throw -ErrorId 'ConfigurationInvalid,*' -ExpectedMessage '*line 2*'
        { Get-PgBackupConfiguration -ConfigPath "$TestDrive/none.yaml" } | Should -Throw -ErrorId 'ConfigurationNotFound,*'
    }
}

Describe 'A server that archives by a configuration file' {
    BeforeAll {
        $cluster = Start-TestCluster @{ wal_level = 'replica' }
        $repository = Join-Path $cluster.Folder 'repository'
        $config = Join-Path $cluster.Folder 'own.yaml'
        Set-Content $config "repositories: { orders: { location: '$repository', compression: lz4 } }"
        chmod 644 $config
        $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
        $orders = @{ Repository = 'orders'; ConfigPath = $config }
        function Test-Archiving {
            $null = Invoke-TestSql $cluster 'SELECT pg_stat_reset_shared(''archiver'')'
            $name = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_switch_wal())'
            $null = Invoke-TestSql $cluster "SELECT pg_logical_emit_message(false, 'x', 'y'), pg_switch_wal()"
            $limit = [DateTime]::Now.AddSeconds(60)
            while (-not (Test-Path "$repository/wal_005/$name.lz4")) {
                if ([DateTime]::Now -gt $limit) { throw "$name was not archived: $(Get-Content $cluster.LogFile -Tail 5)" }
                Start-Sleep -Milliseconds 200
            }
        }
    }

    AfterAll { Stop-TestCluster $cluster }

    It 'points to a file that the account of the server can read, and archives as that file says' {
        $settings = Enable-PgWalArchiving @server @orders -WarningAction Ignore
        ($settings | Where-Object Name -eq archive_command).NewValue | Should -Match ([regex]::Escape(" --config '$config' --repository 'orders'") + '$')
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
        Test-Archiving
    }

    It 'writes a file when the settings stand in none that the account can read, and shows it first' {
        $env:WALG_COMPRESSION_METHOD = 'lz4'
        $written = Join-Path $cluster.Folder 'etc/config.yaml'
        try {
            $shown = Enable-PgWalArchiving @server -Repository $repository -ServerConfigPath $written -WhatIf -WarningAction Ignore
            ($shown | Where-Object Name -eq archive_command).NewValue | Should -BeLike "*--config '$written'*"
            Test-Path $written | Should -BeFalse
            $settings = Enable-PgWalArchiving @server -Repository $repository -ServerConfigPath $written -WarningAction Ignore
            (Enable-PgWalArchiving @server -Repository $repository -ServerConfigPath $written).IsChanged | Should -Not -Contain $true
        }
        finally { $env:WALG_COMPRESSION_METHOD = $null }
        ($settings | Where-Object Name -eq archive_command).NewValue | Should -Match ([regex]::Escape(" --config '$written' --repository 'main'") + '$')
        Get-Content $written | Should -Contain "    compression: 'lz4'"
        Test-Archiving
    }

    It 'refuses what the account of the server cannot read' {
        Set-Content "$TestDrive/key" ('a' * 64)
        chmod 600 "$TestDrive/key"
        $hidden = Join-Path $cluster.Folder 'hidden.yaml'
        Set-Content $hidden "repositories: { orders: { location: '$repository-encrypted', encryption: { keyFile: '$TestDrive/key', keyTransform: hex } } }"
        { Enable-PgWalArchiving @server -Repository orders -ConfigPath $hidden -ServerConfigPath "$TestDrive/x.yaml" } | Should -Throw -ErrorId 'CommandFileUnreadable,*'
    }

    It 'is backed up and restored by the name of the repository' {
        $null = Invoke-TestSql $cluster 'CREATE TABLE kept AS SELECT 7 AS n'
        (Backup-PgCluster @server @orders).Name | Should -BeLike 'base_*'
        $target = Join-Path $cluster.Folder 'restored'
        $restored = Restore-PgPointInTime $target @orders -Start
        try {
            $restored.Status | Should -Be 'Promoted'
            Get-Content "$target/postgresql.auto.conf" -Raw | Should -Match ([regex]::Escape("--config ''$config''"))
            $arguments = '-X', '-q', '-A', '-t', '-h', '127.0.0.1', '-p', "$($restored.Port)", '-U', 'postgres', '-d', 'postgres', '-c', 'SELECT n FROM kept'
            Invoke-AsServerAccount (Get-ServerProgram psql) $arguments | Should -Be '7'
        }
        finally { $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-w', '-D', $target, '-m', 'fast' }
    }
}
