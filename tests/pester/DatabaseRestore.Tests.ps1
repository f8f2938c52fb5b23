# Dumps that pg_dump wrote come back into databases, at a real prompt.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = New-TestRepository load
    $repository = Join-Path $folder 'repository'
    $cluster = Start-TestCluster
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = 'postgres' }
    $id = 'PgBackup.PowerShell.Databases.RestorePgDatabaseCommand'
    $null = Invoke-TestSql $cluster 'CREATE DATABASE shop'
    $null = Invoke-TestSql $cluster "CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY, note text); INSERT INTO app.orders VALUES (1, 'ä'); CREATE TABLE app.other (a int)" -Database shop
    $archive = Join-Path $folder 'shop.dump'
    $script = Join-Path $folder 'shop.sql'
    $connection = '-h', $cluster.HostName, '-p', "$($cluster.Port)", '-U', 'postgres'
    $null = Invoke-AsServerAccount (Get-ServerProgram pg_dump) ($connection + '-Fc' + '-f' + $archive + 'shop')
    $null = Invoke-AsServerAccount (Get-ServerProgram pg_dump) ($connection + '-f' + $script + 'shop')
}

AfterAll {
    Stop-TestCluster $cluster
    Remove-Item -Recurse -Force $folder
}

Describe 'Restore-PgDatabase' {
    It 'creates the database and tells what it did' {
        $result = Restore-PgDatabase -Path $archive -TargetDatabase "new 'shop'" @server
        $result.Status | Should -Be 'Complete'
        $result.Created | Should -BeTrue
        $result.TableCount | Should -Be 2
        Invoke-TestSql $cluster 'SELECT note FROM app.orders' -Database "new 'shop'" | Should -Be 'ä'
        ($result | Out-String -Width 80) | Should -BeLike "*Database*:*new 'shop'*Status*:*Complete*"
    }

    It 'does nothing with -WhatIf' {
        Restore-PgDatabase -Path $archive -TargetDatabase none @server -WhatIf | Should -BeNullOrEmpty
        Invoke-TestSql $cluster "SELECT count(*) FROM pg_database WHERE datname = 'none'" | Should -Be '0'
    }

    It 'takes a script, and a path relative to the location' {
        Push-Location $folder
        try { (Restore-PgDatabase -Path ./shop.sql -TargetDatabase scripted @server).Format | Should -Be 'Plain' }
        finally { Pop-Location }
        { Restore-PgDatabase -Path $script -TargetDatabase t2 -Table app.orders @server } | Should -Throw -ErrorId "RestoreOptionsInvalid,$id"
    }

    It 'needs to know the target of a file' {
        { Restore-PgDatabase -Path $archive @server } | Should -Throw -ErrorId "TargetDatabaseMissing,$id"
        { Restore-PgDatabase -Path "$archive.none" -TargetDatabase x @server } | Should -Throw -ErrorId "DumpNotFound,$id"
    }

    It 'refuses a database that is not empty, and replaces with -Clean' {
        { Restore-PgDatabase -Path $archive -TargetDatabase shop @server } | Should -Throw -ErrorId "TargetNotEmpty,$id"
        $null = Invoke-TestSql $cluster 'DELETE FROM app.orders' -Database shop
        $result = Restore-PgDatabase -Path $archive -TargetDatabase shop -Clean -IfExists -Confirm:$false @server
        $result.Status | Should -Be 'Complete'
        Invoke-TestSql $cluster 'SELECT count(*) FROM app.orders' -Database shop | Should -Be '1'
    }

    It 'restores one table' {
        (Restore-PgDatabase -Path $archive -TargetDatabase one -Table app.orders @server).TableCount | Should -Be 1
        Invoke-TestSql $cluster "SELECT to_regclass('app.other') IS NULL" -Database one | Should -Be 't'
        { Restore-PgDatabase -Path $archive -TargetDatabase two -Table app.ordes @server } | Should -Throw -ErrorId "TableNotInDump,$id"
    }

    It 'names each object that is missing, and never says it is done' {
        $null = Invoke-TestSql $cluster 'CREATE DATABASE half'
        $null = Invoke-TestSql $cluster 'CREATE SCHEMA app; CREATE TABLE app.orders (id int)' -Database half
        $Error.Clear()
        { Restore-PgDatabase -Path $archive -TargetDatabase half -Force -ThrottleLimit 1 @server -ErrorAction SilentlyContinue } | Should -Throw -ErrorId "RestoreIncomplete,$id"
        $Error | Where-Object { $_.TargetObject.Kind -eq 'TABLE' -and "$($_.TargetObject)" -eq 'TABLE app.orders' } | Should -Not -BeNullOrEmpty
    }

    It 'takes a backup from the pipeline, and restores it on the server that is named' {
        $null = Backup-PgDatabase shop @server -Repository $repository -Label piped
        $backup = Get-PgBackup -Repository $repository -Label piped
        $result = $backup | Restore-PgDatabase -TargetDatabase piped @server
        $result.Source | Should -Be $backup.Name
        $result.Server | Should -Be "$($cluster.HostName):$($cluster.Port)"
        Invoke-TestSql $cluster 'SELECT count(*) FROM app.orders' -Database piped | Should -Be '1'
        # An error of one does not end the pipeline.
        $results = $backup, $backup | Restore-PgDatabase -TargetDatabase piped @server -ErrorAction SilentlyContinue -ErrorVariable failures
        $results | Should -BeNullOrEmpty
        $failures.FullyQualifiedErrorId | Should -Be @("TargetNotEmpty,$id", "TargetNotEmpty,$id")
        { Restore-PgDatabase -Name dump_none -Repository $repository @server } | Should -Throw -ErrorId "BackupNotFound,$id"
    }

    It 'takes the roles of a server from the pipeline, more than once' {
        $null = Invoke-TestSql $cluster "CREATE ROLE seller LOGIN PASSWORD 'x'"
        $globals = Backup-PgDatabase shop -IncludeGlobal @server -Repository $repository | Where-Object Content -eq Globals
        $null = Invoke-TestSql $cluster 'DROP ROLE seller'
        { $globals | Restore-PgDatabase @server -ErrorAction Stop } | Should -Throw -ErrorId "RestoreOptionsInvalid,$id"
        foreach ($i in 1, 2) {
            $result = $globals | Restore-PgDatabase @server -Globals -Confirm:$false
            $result.Status | Should -Be 'Complete'
            $result.Database | Should -BeNullOrEmpty
        }
        Invoke-TestSql $cluster "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'seller'" | Should -Be 't'
    }

    It 'ends a script with exit code 3 when something is missing' {
        $command = "Import-Module PgBackup; Restore-PgDatabase -Path '$archive' -TargetDatabase half -Force -HostName $($cluster.HostName) -Port $($cluster.Port) -UserName postgres -Confirm:`$false"
        $null = & (Get-Process -Id $PID).Path -NoProfile -NonInteractive -Command $command 2>&1
        $LASTEXITCODE | Should -Be 3
    }
}
