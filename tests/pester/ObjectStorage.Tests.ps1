# The whole way with the repository in a bucket, over TLS and encrypted: the server archives and recovers by the configuration that Enable-PgWalArchiving writes for it.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module "$PSScriptRoot/Store.psm1"
    Import-Module PgBackup
    $store = Start-TestStore
    $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-objects-').FullName
    chmod 755 $folder
    $saved = @{}
    $variables = 'PGBACKUP_CONFIG', 'WALG_S3_CA_CERT_FILE', 'AWS_ENDPOINT', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'
    foreach ($name in $variables) { $saved[$name] = [Environment]::GetEnvironmentVariable($name); [Environment]::SetEnvironmentVariable($name, $null) }
    $cluster = Start-TestCluster -Setting @{ autovacuum = 'off' }
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
    Copy-Item $store.caFile "$folder/ca.pem"
    chmod 644 "$folder/ca.pem"
    $key = New-PgBackupKey -Path "$folder/key" -WarningAction Ignore
    if ([Environment]::IsPrivilegedProcess) { chown postgres "$folder/key" }
    $env:WALG_S3_CA_CERT_FILE = "$folder/ca.pem"
    $bucket = @{ Repository = 's3://backups/orders'; EndpointUrl = $store.tlsEndpoint; StorageCredential = $store.Credential; EncryptionKey = $key.Path }

    function Wait-Archived {
        $segment = Invoke-TestSql $cluster 'SELECT pg_walfile_name(pg_switch_wal())'
        for ($i = 0; (Invoke-TestSql $cluster "SELECT coalesce(last_archived_wal, '') >= '$segment' FROM pg_stat_archiver") -ne 't'; $i++) {
            if ($i -gt 600) { throw "$segment was not archived: $(Get-Content $cluster.LogFile -Tail 5)" }
            Start-Sleep -Milliseconds 100
        }
    }

    # What lies in the bucket, as `aws s3` lists it.
    function Get-StoredName {
        param([string] $Prefix)
        $env:AWS_ACCESS_KEY_ID, $env:AWS_SECRET_ACCESS_KEY = $store.accessKey, $store.secretKey
        try { aws --endpoint-url $store.endpoint --region us-east-1 s3 ls --recursive "s3://backups/orders/$Prefix" | ForEach-Object { ($_ -split '\s+', 4)[3] } }
        finally { $env:AWS_ACCESS_KEY_ID = $env:AWS_SECRET_ACCESS_KEY = $null }
    }
}

AfterAll {
    foreach ($file in Get-ChildItem "$folder/*/postmaster.pid" -ErrorAction Ignore) {
        $null = Invoke-AsServerAccount (Get-ServerProgram pg_ctl) 'stop', '-D', $file.DirectoryName, '-m', 'immediate', '-w'
    }
    Stop-TestCluster $cluster
    Stop-TestStore $store
    foreach ($name in $variables) { [Environment]::SetEnvironmentVariable($name, $saved[$name]) }
    Remove-Item -Recurse -Force $folder
}

Describe 'A repository in a bucket' {
    It 'is examined before it is used' {
        $checks = Test-PgBackupRepository @bucket
        ($checks | Where-Object Status -eq Failed).Message | Should -BeNullOrEmpty
        $checks.Count | Should -BeGreaterThan 10
    }

    It 'is archived into by the server, with a configuration of its own' {
        $config = Join-Path $cluster.Folder 'etc/config.yaml'
        $settings = Enable-PgWalArchiving @server @bucket -ServerConfigPath $config -Confirm:$false -WarningAction Ignore
        ($settings | Where-Object Name -eq archive_command).NewValue | Should -Match ([regex]::Escape("--config '$config'"))
        Get-Content $config -Raw | Should -Not -Match $store.secretKey
        Stop-TestCluster $cluster -Keep
        Resume-TestCluster $cluster
        $null = Invoke-TestSql $cluster "CREATE TABLE t (v text); INSERT INTO t VALUES ('before')"
        Wait-Archived
    }

    It 'takes a backup, which stock tools list' {
        $backup = Backup-PgCluster @server @bucket
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('A')"
        $null = Invoke-TestSql $cluster "SELECT pg_create_restore_point('after A')"
        $null = Invoke-TestSql $cluster "INSERT INTO t VALUES ('B')"
        Wait-Archived
        (Get-PgBackup @bucket).Name | Should -Be $backup.Name
        Get-StoredName 'basebackups_005/' | Should -Contain "orders/basebackups_005/$($backup.Name)_backup_stop_sentinel.json"
        (Get-PgBackupRepository @bucket).Kind | Should -Be 'S3'
    }

    It 'restores to a point, by the server''s own restore_command' {
        $restored = Restore-PgPointInTime @bucket -DataDirectory "$folder/restored" -TargetName 'after A' -Start -ServerConfigPath "$($cluster.Folder)/etc/restore.yaml" -WarningAction Ignore
        $restored.Status | Should -Be 'Promoted'
        $there = [pscustomobject] @{ HostName = '127.0.0.1'; Port = $restored.Port }
        Invoke-TestSql $there "SELECT string_agg(v, ',' ORDER BY v) FROM t" | Should -Be 'A,before'
    }

    It 'finds a wrong key in a second' {
        $null = New-PgBackupKey -Path "$folder/other" -WarningAction Ignore
        $other = $bucket + @{}
        $other.EncryptionKey = "$folder/other"
        $null = Get-PgBackup @bucket # The libraries are loaded.
        $watch = [Diagnostics.Stopwatch]::StartNew()
        if ([Environment]::IsPrivilegedProcess) { chown postgres "$folder/other" }
        { Restore-PgPointInTime @other -DataDirectory "$folder/never" -ServerConfigPath "$folder/never.yaml" } | Should -Throw -ErrorId 'EncryptionKeyInvalid,*'
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 1
        "$folder/never" | Should -Not -Exist
        "$folder/never.yaml" | Should -Not -Exist
    }

    It 'says what is wrong with a key, a bucket and an address' {
        $wrong = $bucket + @{}
        $wrong.StorageCredential = [pscredential]::new($store.accessKey, (ConvertTo-SecureString 'canary' -AsPlainText -Force))
        { Get-PgBackup @wrong } | Should -Throw -ErrorId 'StorageSecretWrong,*'
        $missing = $bucket + @{}
        $missing.Repository = 's3://no-such-bucket/orders'
        { Get-PgBackup @missing } | Should -Throw -ErrorId 'RepositoryNotFound,*'
        $env:WALG_S3_CA_CERT_FILE = $null
        try { { Get-PgBackup @bucket } | Should -Throw -ErrorId 'StorageCertificateRefused,*' }
        finally { $env:WALG_S3_CA_CERT_FILE = "$folder/ca.pem" }
    }

    It 'is copied to a folder, from which it restores when the store is gone' {
        $copy = Join-Path $folder 'copy'
        $null = Get-PgBackup @bucket | Copy-PgBackup @bucket -Destination $copy -WithHistory -Confirm:$false
        (Get-PgRestorePlan -Repository $copy -EncryptionKey $key.Path -TargetName 'after A').Name | Should -Be (Get-PgBackup @bucket).Name
    }
}
