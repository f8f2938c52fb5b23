# The catalogue of all kinds of backups: what is listed, how it is shown, and where a pipeline takes it.
BeforeAll {
    Import-Module PgBackup
    $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-catalogue-').FullName
    $repository = Join-Path $folder 'repository'
    Copy-Item -Recurse "$PSScriptRoot/../unit/Fixtures/walg-3.0.9/lz4/repo" $repository

    function New-Dump {
        param([string] $Name, [string] $Database, [string] $Label, [string] $Manifest)
        $path = Join-Path $repository 'pgbackup_v1' 'dumps' $Name
        $null = New-Item -ItemType Directory $path
        $time = [datetime]::ParseExact($Name.Substring(5, 15), "yyyyMMdd'T'HHmmss", [cultureinfo]::InvariantCulture)
        $document = [ordered] @{
            version = 1; name = $Name; content = $(if ($Database) { 'Database' } else { 'Globals' }); format = $(if ($Database) { 'Custom' } else { 'Plain' })
            startTime = "$($time.ToString('s'))Z"; finishTime = "$($time.AddSeconds(133).ToString('s'))Z"; server = 'db1:5432'; serverVersion = 150018; toolVersion = '15.18'; writtenBy = 'PgBackup'
            objects = @(@{ key = 'dump.dump.zst'; size = 123456789; uncompressedSize = 987654321; hash = ('0' * 32) })
        }
        if ($Database) { $document.database = $Database }
        if ($Label) { $document.label = $Label }
        Set-Content -LiteralPath "$path/manifest.json" $(if ($Manifest) { $Manifest } else { ConvertTo-Json $document -Depth 5 })
    }

    $first, $second, $globals, $damaged = 'dump_20200101T100000Z_00000001', 'dump_20300101T100000Z_00000002', 'dump_20300101T100001Z_00000003', 'dump_20300101T100002Z_00000004'
    New-Dump $first -Database shop_production -Label pre-migration-41
    New-Dump $second -Database crm -Label pre-migration-42
    New-Dump $globals
    New-Dump $damaged -Manifest '{'
}

AfterAll {
    Remove-Item -LiteralPath $folder -Recurse -Force
}

Describe 'One catalogue' {
    It 'lists every kind, oldest first' {
        $all = Get-PgBackup -Repository $repository
        $all.Kind | Select-Object -Unique | Should -HaveCount 2
        $all[0].Name | Should -Be $first
        $all[-1].Name | Should -Be $damaged
        $all[-1].Status | Should -Be Damaged
        ($all.StartTime | Sort-Object) | Should -Be $all.StartTime
        @($all | Where-Object Kind -eq Cluster).Count | Should -BeGreaterThan 0
    }

    It 'lists the kinds that are asked for' {
        (Get-PgBackup -Repository $repository -Kind Database).Name | Should -Be $first, $second, $globals, $damaged
        (Get-PgBackup -Repository $repository -Kind Cluster).Kind | Select-Object -Unique | Should -Be Cluster
        (Get-PgBackup -Repository $repository -Kind Cluster, Database).Count | Should -Be (Get-PgBackup -Repository $repository).Count
        Get-PgBackup -Repository $repository -Kind Config | Should -BeNullOrEmpty
        { Get-PgBackup -Repository $repository -Kind Tables } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }

    It 'takes a type for clusters, a database and a label for databases' {
        (Get-PgBackup -Repository $repository -Type Full).Kind | Select-Object -Unique | Should -Be Cluster
        (Get-PgBackup -Repository $repository -Database 'SHOP*').Name | Should -Be $first
        (Get-PgBackup -Repository $repository -Database crm, shop_production).Name | Should -Be $first, $second
        (Get-PgBackup -Repository $repository -Label 'pre-migration-*').Name | Should -Be $first, $second
        (Get-PgBackup -Repository $repository -Label pre-migration-42).Name | Should -Be $second
    }

    It 'finds the newest complete one of each kind' {
        $latest = Get-PgBackup -Repository $repository -Latest
        $latest | Should -HaveCount 2
        ($latest | Where-Object Kind -eq Database).Name | Should -Be $globals
        (Get-PgBackup -Repository $repository -Kind Cluster -Latest).Kind | Should -Be Cluster
        (Get-PgBackup -Repository $repository -Database shop* -Latest).Name | Should -Be $first
    }

    It 'names what is not there' {
        Get-PgBackup $first, dump_20200101T100000Z_ffffffff -Repository $repository -ErrorAction SilentlyContinue -ErrorVariable failure | Should -HaveCount 1
        $failure.FullyQualifiedErrorId | Should -Be 'BackupNotFound,PgBackup.PowerShell.Backups.GetPgBackupCommand'
    }
}

Describe 'How it is shown' {
    It 'has one table for several kinds, and one for each, right at 80 columns' {
        foreach ($shown in (Get-PgBackup -Repository $repository base_*[0-9], dump* | Where-Object Name -notlike *_D_*), (Get-PgBackup -Repository $repository -Kind Database)) {
            $lines = ($shown | Out-String -Width 80) -split "`n" | ForEach-Object TrimEnd | Where-Object { $_ }
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
            $lines | Should -HaveCount ($shown.Count + 3)
            @($lines -match '^Name +(Type +Database|Database +Format) +Status +Size +Took$') | Should -HaveCount 1
            @($lines -match "^$first .*shop_production .*Complete +118 MB +2m 13s$") | Should -HaveCount 1
            @($lines -match "^$globals .*\(globals\) ") | Should -HaveCount 1
        }
    }
}

Describe 'Where a pipeline takes it' {
    It 'restores no cluster from a backup of a database' {
        { Get-PgBackup $first -Repository $repository | Restore-PgPointInTime -DataDirectory "$folder/data" } | Should -Throw -ErrorId 'BackupKindMismatch,*'
        { Get-PgRestorePlan -Name $first -Repository $repository } | Should -Throw -ErrorId 'BackupKindMismatch,*'
        Test-Path "$folder/data" | Should -BeFalse
    }

    It 'copies the backups of clusters alone, and says what it left out' {
        $copied = Get-PgBackup $first, base* -Repository $repository | Copy-PgBackup -Destination "$folder/copy" -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure.FullyQualifiedErrorId | Should -Be 'BackupKindMismatch,PgBackup.PowerShell.Backups.CopyPgBackupCommand'
        $copied.Name | Should -Be (Get-PgBackup -Repository $repository -Kind Cluster).Name
        (Get-PgBackup -Repository "$folder/copy").Kind | Select-Object -Unique | Should -Be Cluster
    }

    It 'copies nothing when only a backup of a database came, or something else' {
        Get-PgBackup $first -Repository $repository | Copy-PgBackup -Destination "$folder/none" -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        'base' | Copy-PgBackup -Destination "$folder/none" -Repository $repository -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure.FullyQualifiedErrorId | Should -Be 'BackupObjectInvalid,PgBackup.PowerShell.Backups.CopyPgBackupCommand'
        Copy-PgBackup $first -Destination "$folder/none" -Repository $repository -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure.FullyQualifiedErrorId | Should -Be 'BackupKindMismatch,PgBackup.PowerShell.Backups.CopyPgBackupCommand'
        Test-Path "$folder/none" | Should -BeFalse
    }
}
