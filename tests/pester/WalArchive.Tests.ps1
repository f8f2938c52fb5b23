# The archive's checks as an operator and a scheduler use them: whole, with a gap, with the gap acknowledged, with a damaged object.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $source = "$PSScriptRoot/../unit/Fixtures/walg-3.0.9/lz4/repo"
    $repository = Join-Path $TestDrive 'repository'
    Copy-Item -Recurse $source $repository
    $wal = Join-Path $repository 'wal_005'
    # Stored long ago: nothing is on its way.
    Get-ChildItem $wal | ForEach-Object { $_.LastWriteTime = (Get-Date).AddHours(-3) }
    $lost = '000000010000000000000005'

    # A process of its own; returns the exit code and what it printed.
    function Invoke-Shell {
        param([string] $Text)
        $output = pwsh -NoProfile -NonInteractive -Command $Text 2>&1
        [pscustomobject] @{ ExitCode = $LASTEXITCODE; Output = $output -join "`n" }
    }
}

Describe 'An archive that is whole' {
    It 'is Ok at every level' {
        foreach ($level in 'Names', 'Content', 'Records') {
            $check = Test-PgWalArchive -Repository $repository -Level $level -ErrorVariable failure
            $check.Status | Should -Be 'Ok'
            $check.Reasons | Should -BeNullOrEmpty
            $failure | Should -BeNullOrEmpty
        }
        $check.ReadCount | Should -Be $check.Count
        Test-PgWalArchive -Repository $repository -Quiet | Should -BeTrue
        (Invoke-Shell "Test-PgWalArchive -Repository '$repository'").ExitCode | Should -Be 0
    }

    It 'is one range, and fits 80 columns' {
        $range = Get-PgWalSegment -Repository $repository
        $range | Should -HaveCount 1
        $range.State | Should -Be 'Found'
        $range, (Test-PgWalArchive -Repository $repository), (Get-PgWalSegment -Repository $repository -Expand) | ForEach-Object {
            ($_ | Out-String -Width 80) -split "`n" | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
        }
    }

    It 'gives segments that bind to Restore-PgWal' {
        $fetched = Get-PgWalSegment -Repository $repository -Expand | Select-Object -Last 1 | Restore-PgWal -Destination (Join-Path $TestDrive 'segment')
        $fetched.Size.Bytes | Should -Be 16MB
    }
}

Describe 'An archive with a gap' {
    BeforeAll { Remove-Item (Join-Path $wal "$lost.lz4") }

    It 'fails with its own error, and 14 for a scheduler' {
        $check = Test-PgWalArchive -Repository $repository -ErrorVariable failure -ErrorAction SilentlyContinue
        $check.Status | Should -Be 'Failure'
        "$($check.Reasons)" | Should -Match $lost
        $failure[0].FullyQualifiedErrorId | Should -Be 'WalArchiveCheckFailed,PgBackup.PowerShell.Wal.TestPgWalArchiveCommand'
        (Invoke-Shell "Test-PgWalArchive -Repository '$repository'").ExitCode | Should -Be 14
        Test-PgWalArchive -Repository $repository -Quiet -ErrorVariable failure | Should -BeFalse
        $failure | Should -BeNullOrEmpty
    }

    It 'does nothing with -WhatIf' {
        Get-PgWalSegment -Repository $repository | Where-Object State -eq Missing | Test-PgWalArchive -Reason 'a test' -WhatIf | Should -BeNullOrEmpty
        (Get-PgWalSegment -Repository $repository | Where-Object State -eq Missing).First.ToString() | Should -Be $lost
    }

    It 'is in order again when the gap is acknowledged, until that is taken back' {
        $known = Get-PgWalSegment -Repository $repository | Where-Object State -eq Missing | Test-PgWalArchive -Reason 'a test'
        $known.State | Should -Be 'Acknowledged'
        (Test-PgWalArchive -Repository $repository).Status | Should -Be 'Ok'
        (Get-PgWalSegment -Repository $repository | Where-Object State -eq Acknowledged).Reason | Should -Be 'a test'
        Get-PgWalSegment -Repository $repository | Where-Object State -eq Acknowledged | Test-PgWalArchive -Revoke
        Test-PgWalArchive -Repository $repository -Quiet | Should -BeFalse
    }

    It 'refuses to acknowledge what is there' {
        { Get-PgWalSegment -Repository $repository | Select-Object -First 1 | Test-PgWalArchive -Reason 'a test' } | Should -Throw -ErrorId 'WalGapNotAcknowledged,*'
    }
}

Describe 'An archive with a damaged object' {
    It 'names it, and says what to do' {
        $object = Join-Path $wal '000000010000000000000003.lz4'
        $bytes = [IO.File]::ReadAllBytes($object)
        [IO.File]::WriteAllBytes($object, $bytes[0..($bytes.Length / 2)])
        $check = Test-PgWalArchive -Repository $repository -Level Content -ErrorAction SilentlyContinue
        $check.Faults | Should -HaveCount 1
        $check.Faults[0].Key | Should -Be 'wal_005/000000010000000000000003.lz4'
        $check.Faults[0].Recommendation | Should -Match 'Push-PgWal'
    }
}
