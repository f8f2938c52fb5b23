# Databases dumped as a scheduler and as a person at the prompt do it, and read back with PostgreSQL's own programs.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $cluster = Start-TestCluster
    $repository = Join-Path $cluster.Folder 'repository'
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
    foreach ($name in 'shop', 'shop_old', 'crm') { $null = Invoke-TestSql $cluster "CREATE DATABASE $name" }
    $null = Invoke-TestSql $cluster 'CREATE DATABASE "we[i]rd"'
    $null = Invoke-TestSql $cluster "CREATE SCHEMA app; CREATE TABLE app.orders AS SELECT g AS id, 'größe ' || g AS v FROM generate_series(1, 5000) g; CREATE TABLE app.log(x int)" -Database shop
    $null = Invoke-TestSql $cluster "CREATE ROLE reader LOGIN PASSWORD 'secret'"
    function Restore-Dump([string] $Path, [string] $Tool) {
        $null = Invoke-TestSql $cluster 'DROP DATABASE IF EXISTS restored'
        $null = Invoke-TestSql $cluster 'CREATE DATABASE restored'
        chmod -R a+rX $cluster.Folder
        $common = '-h', $cluster.HostName, '-p', "$($cluster.Port)", '-U', 'postgres', '-d', 'restored'
        if ($Tool -eq 'psql') { $null = Invoke-AsServerAccount (Get-ServerProgram psql) (@('-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $Path) + $common) }
        else { $null = Invoke-AsServerAccount (Get-ServerProgram pg_restore) (@('--exit-on-error') + $common + $Path) }
        Invoke-TestSql $cluster "SELECT count(*) || ' ' || max(v) FROM app.orders" -Database restored
    }
}

AfterAll { Stop-TestCluster $cluster -Mode immediate }

Describe 'Backup-PgDatabase' {
    It 'dumps one database' {
        $backup = Backup-PgDatabase shop @server -Repository $repository -Label 'pre-migration-42' -Permanent
        $backup.Name | Should -Match '^dump_\d{8}T\d{6}Z_[0-9a-f]{8}$'
        $backup.Database | Should -Be 'shop'
        $backup.Format | Should -Be 'Custom'
        $backup.TableCount | Should -Be 2
        $backup.Label | Should -Be 'pre-migration-42'
        $backup.IsPermanent | Should -BeTrue
        $backup.IsPartial | Should -BeFalse
        $backup.RunId | Should -BeNullOrEmpty
        Join-Path $repository "pgbackup_v1/dumps/$($backup.Name)/manifest.json" | Should -Exist
        $backup | Format-Table | Out-String -Width 80 | ForEach-Object { $_ -split "`n" } | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
    }

    It 'takes the database of a connection string, in each form' {
        $where = "$($cluster.HostName):$($cluster.Port)"
        (Backup-PgDatabase -ConnectionString "postgresql://postgres@$where/shop?sslmode=disable" -Repository $repository).Database | Should -Be 'shop'
        (Backup-PgDatabase -ConnectionString "host=$($cluster.HostName) port=$($cluster.Port) user=postgres dbname='crm'" -Repository $repository).Database | Should -Be 'crm'
        (Backup-PgDatabase -ConnectionString "Host=$($cluster.HostName);Port=$($cluster.Port);Username=postgres;Database=crm" -Repository $repository).Database | Should -Be 'crm'
        (Backup-PgDatabase -ConnectionString "postgresql://postgres@$where/shop" -Database crm -Repository $repository).Database | Should -Be 'crm'
    }

    It 'takes wildcards, and leaves out what it is told' {
        (Backup-PgDatabase 'shop*' @server -Repository $repository).Database | Should -Be 'shop', 'shop_old'
        (Backup-PgDatabase -Database 'SHOP*', crm -ExcludeDatabase *_old @server -Repository $repository).Database | Should -Be 'shop', 'crm'
        (Backup-PgDatabase 'we[i]rd' @server -Repository $repository).Database | Should -Be 'we[i]rd'
    }

    It 'takes all databases and what they share as one run' {
        $all = Backup-PgDatabase -AllDatabases @server -Repository $repository -ThrottleLimit 2
        ($all | Where-Object Content -eq 'Database').Database | Sort-Object | Should -Be ('crm', 'postgres', 'shop', 'shop_old', 'we[i]rd' | Sort-Object)
        @($all | Where-Object Content -eq 'Globals').Count | Should -Be 1
        @($all.RunId | Select-Object -Unique).Count | Should -Be 1
        $all[0].RunId | Should -Not -BeNullOrEmpty
    }

    It 'takes databases from the pipeline by property name' {
        $found = [pscustomobject] @{ Database = 'shop' }, [pscustomobject] @{ Database = 'crm' } | Backup-PgDatabase @server -Repository $repository -SchemaOnly
        $found.Database | Should -Be 'shop', 'crm'
        $found.IsPartial | Should -Be $true, $true
    }

    It 'goes on after a database that fails' {
        $found = Backup-PgDatabase -Database absent, crm @server -Repository $repository -ErrorAction SilentlyContinue -ErrorVariable failed
        $found.Database | Should -Be 'crm'
        $failed[0].FullyQualifiedErrorId | Should -Be 'DatabaseNotFound,PgBackup.PowerShell.Databases.BackupPgDatabaseCommand'
    }

    It 'ends a script with 3 when it was done in part, and with the error''s own code when nothing was' {
        $common = "Import-Module PgBackup; Backup-PgDatabase -HostName $($cluster.HostName) -Port $($cluster.Port) -UserName postgres -Repository '$repository'"
        $null = pwsh -NoProfile -Command "$common -Database absent, crm" 2>&1
        $LASTEXITCODE | Should -Be 3
        $null = pwsh -NoProfile -Command "$common -Database absent" 2>&1
        $LASTEXITCODE | Should -Be 13
        $null = pwsh -NoProfile -Command "$common -Database crm" 2>&1
        $LASTEXITCODE | Should -Be 0
    }

    It 'does nothing with -WhatIf' {
        $before = @(Get-ChildItem (Join-Path $repository 'pgbackup_v1/dumps')).Count
        Backup-PgDatabase shop @server -Repository $repository -WhatIf | Should -BeNullOrEmpty
        @(Get-ChildItem (Join-Path $repository 'pgbackup_v1/dumps')).Count | Should -Be $before
    }

    It 'says what a role lacks' {
        { Backup-PgDatabase shop -HostName $cluster.HostName -Port $cluster.Port -UserName reader -Repository $repository -ErrorAction Stop } |
            Should -Throw -ErrorId 'InsufficientPrivilege,*' -PassThru | ForEach-Object { $_.ErrorDetails.RecommendedAction } | Should -Match 'pg_read_all_data'
    }

    It 'shows what pg_dump says with -Verbose' {
        $lines = Backup-PgDatabase shop @server -Repository $repository -Verbose 4>&1 | Where-Object { $_ -is [Management.Automation.VerboseRecord] }
        "$lines" | Should -Match 'dumping contents of table "app.orders"'
    }

    It 'refuses what excludes each other' {
        { Backup-PgDatabase shop @server -Repository $repository -SchemaOnly -DataOnly -ErrorAction Stop } | Should -Throw -ErrorId 'DumpOptionsInvalid,*'
        { Backup-PgDatabase shop @server -Repository $repository -Destination (Join-Path $cluster.Folder 'x.sql') -ErrorAction Stop } | Should -Throw -ErrorId 'DumpOptionsInvalid,*'
    }

    It 'writes files by their name: <Name>' -ForEach @(
        @{ Name = 'shop.sql'; Format = 'Plain'; Unpack = $null }
        @{ Name = 'shop.sql.gz'; Format = 'Plain'; Unpack = 'gzip -dc' }
        @{ Name = 'shop.dump'; Format = 'Custom'; Unpack = $null }
        @{ Name = 'shop.tar'; Format = 'Tar'; Unpack = $null }
    ) {
        $path = Join-Path $cluster.Folder $Name
        $written = Backup-PgDatabase shop @server -Destination $path
        $written.Path | Should -Be $path
        $written.Format | Should -Be $Format
        { Backup-PgDatabase shop @server -Destination $path -ErrorAction Stop } | Should -Throw -ErrorId 'DumpFileExists,*'
        $null = Backup-PgDatabase shop @server -Destination $path -Force
        $readable = $path
        if ($Unpack) { $readable = "$path.unpacked"; /bin/sh -c "$Unpack '$path' > '$readable'" }
        Restore-Dump $readable ($Format -eq 'Plain' ? 'psql' : 'pg_restore') | Should -Be '5000 größe 999'
    }

    It 'writes a folder with a file for each' {
        $folder = Join-Path $cluster.Folder 'dumps'
        $written = Backup-PgDatabase -Database shop, 'we[i]rd' -IncludeGlobal @server -Destination $folder -Format Plain
        Get-ChildItem $folder | ForEach-Object Name | Sort-Object | Should -Be 'globals.sql', 'shop.sql', 'we[i]rd.sql'
        $written[0].Content | Should -Be 'Globals'
        Get-Content -Raw (Join-Path $folder globals.sql) | Should -Match 'CREATE ROLE reader'
    }

    It 'proves a dump in a scratch database' {
        $backup = Backup-PgDatabase shop @server -Repository $repository -Verify
        $backup.Verification.Status | Should -Be 'Verified'
        $backup.Verification.RowCount | Should -Be 5000
        $backup.Verification.Differences | Should -BeNullOrEmpty
        ($backup | Format-Table | Out-String -Width 80) -split "`n" | Where-Object { $_ -like 'dump_*' } | Should -BeLike '* Verified *'
        Invoke-TestSql $cluster "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgbackup_verify%'" | Should -Be 0
        (Backup-PgDatabase shop @server -Destination (Join-Path $cluster.Folder 'proven.sql.gz') -VerifyServer "$($cluster.HostName):$($cluster.Port)" -ErrorAction SilentlyContinue -ErrorVariable refused) | Should -BeNullOrEmpty
        $refused[0].FullyQualifiedErrorId | Should -BeLike 'DumpOptionsInvalid,*'
        (Backup-PgDatabase shop @server -Destination (Join-Path $cluster.Folder 'proven.dump') -VerifyServer "$($cluster.HostName):$($cluster.Port)").Verification.Status | Should -Be 'Verified'
    }

    It 'ends with 14 when a dump does not bring back what was dumped, and keeps it' {
        $null = Invoke-TestSql $cluster 'CREATE DATABASE circular'
        $null = Invoke-TestSql $cluster "CREATE TABLE z(top int); INSERT INTO z VALUES (9); CREATE FUNCTION fits(n int) RETURNS bool LANGUAGE sql AS 'SELECT n <= (SELECT max(top) FROM public.z)'; CREATE TABLE a(n int CHECK (coalesce(public.fits(n), false))); INSERT INTO a VALUES (1)" -Database circular
        $text = "Backup-PgDatabase circular -HostName $($cluster.HostName) -Port $($cluster.Port) -UserName postgres -Repository '$repository' -Verify -Label circular"
        $said = & ([Environment]::ProcessPath) -NoProfile -NonInteractive -Command $text 2>&1 | Out-String -Width 200
        $LASTEXITCODE | Should -Be 14
        $said | Should -Match 'does not restore to what was dumped'
        $said | Should -Match 'TABLE public.a: 1 row was dumped, 0 restored'
        (Get-PgBackup -Repository $repository -Label circular).Status | Should -Be 'Complete'
    }
}
