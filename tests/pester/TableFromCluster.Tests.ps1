# Single tables out of a backup of the whole cluster.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = New-TestRepository tables
    $repository = Join-Path $folder 'repository'
    $scratch = (New-Item -ItemType Directory (Join-Path $folder 'scratch')).FullName
    $cluster = Start-TestCluster -ArchiveTo $repository
    foreach ($name in 'shop', 'other', 'rescue') { $null = Invoke-TestSql $cluster "CREATE DATABASE $name" }
    $null = Invoke-TestSql $cluster 'CREATE TABLE orders (id int PRIMARY KEY, v text); INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 1000) g' -Database shop
    $null = Invoke-TestSql $cluster 'CREATE TABLE big AS SELECT repeat(md5(g::text), 8) v FROM generate_series(1, 100000) g' -Database other
    $null = $cluster | Backup-PgCluster -Repository $repository
    $null = Invoke-TestSql $cluster "UPDATE orders SET v = 'after the backup' WHERE id = 7" -Database shop
    Start-Sleep -Milliseconds 50
    $time = Invoke-TestSql $cluster 'SELECT clock_timestamp()'
    Start-Sleep -Milliseconds 50
    $null = Invoke-TestSql $cluster 'DROP TABLE orders' -Database shop
    Complete-TestSegment $cluster $repository
    $from = @{ Repository = $repository; FromCluster = 'LATEST'; SourceDatabase = 'shop'; ScratchDirectory = $scratch }
    $server = @{ HostName = $cluster.HostName; Port = $cluster.Port; UserName = $cluster.UserName }
}

AfterAll {
    Stop-TestCluster $cluster
    Remove-Item -Recurse -Force $folder
}

Describe 'Restore-PgDatabase -FromCluster' {
    It 'shows what it would do, and does nothing' {
        Restore-PgDatabase @from @server -TargetTime $time -Table orders -WhatIf | Should -BeNullOrEmpty
        $scratch | Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'brings a dropped table back, and leaves the other database in the repository' {
        $result = Restore-PgDatabase @from @server -TargetTime $time -Table orders
        $result.Load.Status | Should -Be 'Complete'
        $result.TargetDatabase | Should -Be 'shop'
        $result.RestoredSize.Bytes | Should -BeLessThan ($result.ClusterSize.Bytes - 20MB)
        Invoke-TestSql $cluster 'SELECT count(*), max(v) FROM orders WHERE id = 7 OR v <> md5(id::text)' -Database shop | Should -Be '1|after the backup'
        Invoke-TestSql $cluster 'SELECT count(*) FROM orders' -Database shop | Should -Be '1000'
        $scratch | Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'leaves a table alone that is there' {
        { Restore-PgDatabase @from @server -TargetTime $time -Table orders } | Should -Throw -ErrorId 'TargetHoldsObjects,*'
        $scratch | Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'hands back the dump' {
        $file = Join-Path $folder 'orders.sql'
        $result = Restore-PgDatabase @from -TargetTime $time -Table public.orders -Destination $file
        $result.Destination | Should -Be $file
        Get-Content $file | Should -Contain "7`tafter the backup"
        { Restore-PgDatabase @from -TargetTime $time -Table public.orders -Destination $file } | Should -Throw -ErrorId 'DumpFileExists,*'
    }

    It 'says what is not there' {
        { Restore-PgDatabase @from @server -TargetTime $time -Table order } | Should -Throw '*public.orders*' -ErrorId 'TableNotFound,*'
        { Restore-PgDatabase @from @server -TargetTime '2099-01-01' -Table orders } | Should -Throw -ErrorId 'TargetNotReachable,*'
        { Restore-PgDatabase @from @server -TargetTime $time -TargetLsn 0/1 -Table orders } | Should -Throw -ErrorId 'RestoreOptionsInvalid,*'
        { Restore-PgDatabase @from @server -TargetTime $time } | Should -Throw -ErrorId 'RestoreOptionsInvalid,*'
        $other = $from.Clone()
        $other.SourceDatabase = 'shops'
        { Restore-PgDatabase @other @server -TargetTime $time -Table orders } | Should -Throw "*'shop'*" -ErrorId 'DatabaseNotInBackup,*'
        $scratch | Get-ChildItem | Should -BeNullOrEmpty
    }

    It 'leaves nothing behind when it is <How>' -ForEach @(@{ How = 'ended by SIGTERM'; Signal = 'TERM'; Code = 143 }, @{ How = 'killed'; Signal = 'KILL'; Code = 137 }) {
        $text = "Restore-PgDatabase -Repository '$repository' -FromCluster LATEST -SourceDatabase shop -ScratchDirectory '$scratch' -TargetTime '$time' -Table orders -Destination '$folder/never.dump'"
        $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath, [string[]] @('-NoProfile', '-NonInteractive', '-Command', $text))
        $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        $child = [Diagnostics.Process]::Start($start)
        $errors = $child.StandardError.ReadToEndAsync()
        while (-not (Test-Path "$scratch/*/data/postmaster.pid")) {
            if ($child.HasExited) { throw "It ended before it was stopped: $($errors.Result)" }
            [Threading.Thread]::Sleep(1)
        }
        $process = [int] (Get-Content "$scratch/*/data/postmaster.pid" -TotalCount 1)
        kill "-$Signal" $child.Id
        $child.WaitForExit()
        $child.ExitCode | Should -Be $Code
        if ($Signal -eq 'KILL') {
            # The next run clears away what is left.
            $null = Restore-PgDatabase @from -TargetTime $time -Table orders -Destination "$folder/after.dump" -WarningVariable said -WarningAction SilentlyContinue
            "$said" | Should -BeLike "*was killed has left '$scratch/*"
        }
        $scratch | Get-ChildItem | Should -BeNullOrEmpty
        # Gone, or dead and not yet collected by whoever inherited it.
        Get-Content "/proc/$process/stat" -ErrorAction Ignore | Should -Not -Match '\) [^Z]'
        "$folder/never.dump" | Should -Not -Exist
    }
}
